namespace Hearth.Cli.Demo;

/// <summary>What the demo set out to show and what came of it. Pure.</summary>
internal sealed record DemoSummary
{
    public required long Steps { get; init; }
    public required double LossAtStart { get; init; }
    public required double LossAtEnd { get; init; }
    public required double DetectSeconds { get; init; }
    public required double ResumeSeconds { get; init; }
    public required long StepsRepeated { get; init; }
    public required string Trace { get; init; }
    public required string StraightTrace { get; init; }
    public required string Sample { get; init; }
    public required Uri Dashboard { get; init; }

    /// <summary>Of the tuning run on held-out questions: its first evaluation and its last.</summary>
    public double TunedLossAtStart { get; init; }
    public double TunedLossAtEnd { get; init; }

    /// <summary>What the tuned model said.</summary>
    public IReadOnlyList<DemoAnswer> Answers { get; init; } = [];

    public bool TracesEqual => Trace.Length > 0 && Trace == StraightTrace;

    public bool AllHeld => !Misses().Any();

    /// <summary>One sentence for each thing that did not hold.</summary>
    public IEnumerable<string> Misses()
    {
        // The comparison is written so that a loss that is no number misses too.
        if (!(LossAtEnd < LossAtStart))
        {
            yield return $"The loss did not fall: {Text.Loss(LossAtStart)} at the start, {Text.Loss(LossAtEnd)} at the end.";
        }

        if (!TracesEqual)
        {
            yield return $"The resumed run is not the straight one: trace {Trace} against {StraightTrace}.";
        }

        if (Sample.Length == 0)
        {
            yield return "No sample came.";
        }

        if (!(TunedLossAtEnd < TunedLossAtStart))
        {
            yield return $"The loss on held-out questions did not fall: {Text.Loss(TunedLossAtStart)} at its first evaluation, {Text.Loss(TunedLossAtEnd)} at its last.";
        }

        if (Answers.Count == 0 || Answers.Any(a => a.Text.Length == 0))
        {
            yield return "The tuned model did not answer.";
        }
    }

    public IEnumerable<(string Name, string Value)> Rows() =>
    [
        ("steps", Text.Count(Steps)),
        ("loss, start to end", $"{Text.Loss(LossAtStart)} to {Text.Loss(LossAtEnd)}"),
        ("kill to detection", Text.Seconds(DetectSeconds)),
        ("kill to next step", Text.Seconds(ResumeSeconds)),
        ("steps repeated", Text.Count(StepsRepeated)),
        ("trace", Trace),
        ("straight run's trace", StraightTrace),
        ("equal", TracesEqual ? "yes" : "no"),
        ("tuned, loss on held-out questions", $"{Text.Loss(TunedLossAtStart)} to {Text.Loss(TunedLossAtEnd)}"),
        ("answers that end their turn", $"{Answers.Count(a => a.Ended)} of {Answers.Count}"),
        ("dashboard", Dashboard.ToString()),
    ];
}
