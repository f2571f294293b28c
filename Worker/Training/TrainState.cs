namespace Hearth.Training;

/// <summary>
/// Everything that decides the next step and is not a tensor; <c>state.json</c> of a checkpoint. The data cursor is
/// (<see cref="Seed"/>, <see cref="Step"/>), from which stage, epoch and row follow, the schedule's position is <see cref="Step"/>, and every generator is seeded anew from both
/// at each step and each sample (<see cref="SeedMix"/>): none of the three has a state of its own to keep.
/// </summary>
public sealed record TrainState
{
    public int Format { get; init; } = 1;

    /// <summary>Finished optimizer steps.</summary>
    public long Step { get; init; }

    /// <summary>Stage of the length curriculum that the last finished step was in; 0 without one.</summary>
    public int Stage { get; init; }

    /// <summary>Tokens trained on since the run's start.</summary>
    public long Tokens { get; init; }

    /// <summary><see cref="TraceHash"/> over the finished steps.</summary>
    public string Trace { get; init; } = TraceHash.Empty.ToString();
    public long Seed { get; init; }

    /// <summary>Loss of the last step in nats per token.</summary>
    public double? LastLoss { get; init; }

    /// <summary>Step at which validation last ran to its end; an interrupted one is done again after a resume.</summary>
    public long EvalStep { get; init; }
    public double? EvalLoss { get; init; }
    public long BestEvalStep { get; init; }
    public double? BestEvalLoss { get; init; }

    /// <summary>Step at which the last regular sample was written.</summary>
    public long SampleStep { get; init; }

    /// <summary>Keys of what evaluations have warned of, which is said once in a run; with spaces between.</summary>
    public string Warned { get; init; } = "";

    /// <summary>Quantised training has begun; it never ends again.</summary>
    public bool Quantizing { get; init; }

    /// <summary>Steps that were left out because loss or gradient was not finite: among <see cref="Step"/>, but none of the optimizer's.</summary>
    public long Skipped { get; init; }

    /// <summary>Of those, how many were the last ones, without a good step since.</summary>
    public int SkippedInARow { get; init; }

    /// <summary>Whether every step so far was taken under <c>train.exact</c>.</summary>
    public bool Exact { get; init; } = true;

    /// <summary>Compute threads: another number splits sums differently, so the trace may differ in last bits.</summary>
    public int Threads { get; init; }

    /// <summary>Rows per micro-batch: as <see cref="Threads"/>.</summary>
    public int MicroBatch { get; init; }

    /// <summary>Where it was on its host, <c>cpu</c> or <c>cuda:N</c>; decides nothing.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>As <see cref="DeviceFacts.Model"/> names it.</summary>
    public string DeviceModel { get; init; } = "unknown";

    /// <summary>Version of libtorch.</summary>
    public string Libtorch { get; init; } = "unknown";
    public string Precision { get; init; } = "fp32";

    /// <summary>Content key of the prepared dataset.</summary>
    public string Dataset { get; init; } = "unknown";
}
