using Hearth.Runs;

namespace Hearth.Models;

/// <summary>What a run changes after its device ran out of memory. Neither changes the global batch or the data order.</summary>
/// <param name="MicroBatch">Rows at a time.</param>
/// <param name="Recomputes">Each block runs again in the backward pass.</param>
public sealed record SmallerSteps(int MicroBatch, bool Recomputes)
{
    /// <summary>Fewer rows down to one, then recomputation; null where both are used up.</summary>
    /// <param name="batchRows">Rows of the global batch.</param>
    /// <param name="microBatch">Rows at a time that were too many.</param>
    /// <param name="recomputes">Whether blocks were recomputed already.</param>
    public static SmallerSteps? After(int batchRows, int microBatch, bool recomputes) =>
        Halve(batchRows, microBatch) is { } rows ? new SmallerSteps(rows, recomputes)
        : recomputes ? null
        : new SmallerSteps(1, true);

    /// <summary>The largest divisor of the batch that is at most half the micro-batch; null when there is none.</summary>
    public static int? Halve(int batchRows, int microBatch)
    {
        for (int rows = microBatch / 2; rows > 0; rows--)
        {
            if (batchRows % rows == 0)
            {
                return rows;
            }
        }

        return null;
    }

    /// <summary>The spec as it is to be run, its rows aside: those a job names.</summary>
    public RunSpec Of(RunSpec spec) => Recomputes ? spec.Recomputing() : spec;

    /// <summary>How it goes on, the end of a sentence.</summary>
    public override string ToString() =>
        $"it goes on with {(MicroBatch == 1 ? "one row" : $"{MicroBatch} rows")} at a time{(Recomputes ? " and recomputed blocks (train.recompute: block)" : "")}. Batch and data order stay.";
}
