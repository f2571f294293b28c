using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Datasets;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Runs;

/// <summary>What a run reads: its dataset, prepared or raw.</summary>
/// <param name="Dataset">Raw files; empty when it is prepared.</param>
/// <param name="Prepared">Files of the tokenised dataset, or null.</param>
public sealed record RunData(IReadOnlyList<BlobRef> Dataset, IReadOnlyList<BlobRef>? Prepared);

/// <summary>The run side's one door to datasets and checkpoints.</summary>
public sealed class RunInputs(DatasetStore datasets, PreparedStore prepared, CheckpointStore checkpoints)
{
    private const int MostNames = 10;

    /// <summary>The error of a dataset that is not in the pool, or null.</summary>
    public async Task<FieldError?> CheckAsync(RunSpec spec, CancellationToken stop)
    {
        string name = spec.Data.Dataset;
        if (await datasets.FindAsync(name, stop) is not null)
        {
            return null;
        }

        var names = (await datasets.ListAsync(stop)).Select(d => d.Name).ToList();
        string allowed = names.Count == 0 ? "a dataset of the pool, which has none yet" : string.Join(", ", names.Take(MostNames)) + (names.Count > MostNames ? ", …" : "");
        return new FieldError("data.dataset", name, allowed, $"No dataset is called {name}. Allowed: {allowed}.");
    }

    /// <summary>What the attempt reads; null when the dataset is gone.</summary>
    public async Task<RunData?> FindDataAsync(RunSpec spec, CancellationToken stop) =>
        await datasets.FindAsync(spec.Data.Dataset, stop) is not { } dataset ? null
            : await prepared.FindForAsync(spec, stop) is { } files ? new RunData([], files)
            : new RunData(await datasets.FilesAsync(dataset.Id, stop), null);

    /// <summary>Files of a checkpoint with addresses to read them; null when it is not good any more.</summary>
    public Task<IReadOnlyList<BlobRef>?> FindCheckpointAsync(Guid checkpoint, CancellationToken stop) => checkpoints.FindGoodAsync(checkpoint, stop);
}
