using Hearth.Runs;

namespace Hearth.Training;

/// <summary>
/// How a step's tokens are cut into rows and rows into micro-batches. Steps of every stage have the same tokens, and so have
/// micro-batches up to a whole number of rows: memory stays level while rows grow.
/// </summary>
/// <param name="Stage">Index in the curriculum; 0 where there is none.</param>
/// <param name="Length">Tokens of a row, T.</param>
/// <param name="Rows">Rows of the batch.</param>
/// <param name="MicroRows">Rows of a micro-batch, at most.</param>
public sealed record BatchShape(int Stage, int Length, int Rows, int MicroRows)
{
    public int MicroBatches => (Rows + MicroRows - 1) / MicroRows;

    /// <summary>The shape at a zero-based step.</summary>
    /// <param name="spec">The run; its seq_len is the longest row.</param>
    /// <param name="microRows">Rows of seq_len in a micro-batch.</param>
    /// <param name="step">Of the run.</param>
    public static BatchShape At(RunSpec spec, int microRows, long step)
    {
        var stages = spec.Train.LengthCurriculum.Or(spec.Data.SeqLen);
        int stage = stages.StageAt(step), length = stages.Stages[stage].Length;
        int rows = spec.Train.BatchTokens / length;
        return new BatchShape(stage, length, rows, Math.Clamp(microRows * spec.Data.SeqLen / length, 1, rows));
    }
}
