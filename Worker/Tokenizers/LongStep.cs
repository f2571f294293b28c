namespace Hearth.Tokenizers;

/// <summary>What takes long says here how far it is, and ends where a stop was asked for. The default hears nothing and never stops.</summary>
/// <param name="Progress">Hears shares from 0 to 1.</param>
/// <param name="Stop">Ends the step.</param>
public readonly record struct LongStep(Action<double>? Progress, CancellationToken Stop = default)
{
    /// <param name="fraction">Share that is done, 0 to 1.</param>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public void At(double fraction)
    {
        Stop.ThrowIfCancellationRequested();
        Progress?.Invoke(fraction);
    }

    /// <summary>A part of this step, as a step of its own.</summary>
    /// <param name="from">Share of the whole before it.</param>
    /// <param name="to">Share of the whole with it.</param>
    public LongStep Part(double from, double to)
    {
        var whole = Progress;
        return this with { Progress = whole is null ? null : share => whole(from + (share * (to - from))) };
    }

    /// <summary>One of so many equal parts of this step.</summary>
    /// <param name="index">From 0.</param>
    /// <param name="count">How many there are.</param>
    public LongStep Nth(int index, int count) => Part(index / (double)count, (index + 1) / (double)count);
}
