using Hearth.Coordinator.Checkpoints;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Runs;

/// <summary>What a run reads: its dataset, prepared or raw.</summary>
/// <param name="Dataset">Raw files; empty when it is prepared.</param>
/// <param name="Prepared">Files of the tokenised dataset, or null.</param>
public sealed record RunData(IReadOnlyList<BlobRef> Dataset, IReadOnlyList<BlobRef>? Prepared);

/// <summary>Where a run goes on: a checkpoint with addresses to read it.</summary>
public sealed record RunCheckpoint(Guid Id, long Step, IReadOnlyList<BlobRef> Files);

/// <summary>The run side's one door to datasets and checkpoints.</summary>
public sealed class RunInputs(CheckpointStore checkpoints)
{
    /// <summary>The error of a dataset that is not in the pool, or null.</summary>
    public Task<FieldError?> CheckAsync(RunSpec spec, CancellationToken stop) => Task.FromResult<FieldError?>(null);

    /// <summary>What the attempt reads; null when the dataset is gone.</summary>
    public Task<RunData?> FindDataAsync(RunSpec spec, CancellationToken stop) => Task.FromResult<RunData?>(new RunData([], null));

    /// <summary>The newest checkpoint that is good, or null.</summary>
    public async Task<RunCheckpoint?> FindCheckpointAsync(Guid run, CancellationToken stop) =>
        await checkpoints.NewestGoodAsync(run, stop) is var (id, step, files) ? new RunCheckpoint(id, step, files) : null;
}
