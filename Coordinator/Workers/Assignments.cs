using System.Text.Json;
using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Datasets;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Workers;

/// <summary>Makes assignments of placed attempts: what was decided, with fresh addresses of what the attempt reads.</summary>
public sealed class Assignments(RunChanges changes, DatasetStore datasets, PreparedStore prepared, CheckpointStore checkpoints)
{
    /// <summary>
    /// Null when what the attempt reads is gone: without its dataset, or what it begins with, the run fails; without its checkpoint the attempt is over, and the next
    /// one begins with another. Null, too, when its agent is from before such runs.
    /// </summary>
    /// <param name="placed">The attempt.</param>
    /// <param name="version">The <see cref="Assignment.Version"/> that its agent carries out.</param>
    /// <param name="stop">Ends the call.</param>
    public async Task<Assignment?> MakeAsync(AssignedAttempt placed, int version, CancellationToken stop)
    {
        var given = JsonSerializer.Deserialize<RunSpec>(placed.Spec, Json.Wire)!;
        var spec = placed.Recompute ? given.Recomputing() : given;
        if (version < Needed(spec, placed))
        {
            await EndAsync(placed, AttemptState.Lost, null, $"Its agent carries out assignments of version {version}, and the run needs {Needed(spec, placed)}. Update the agent.", stop);
            return null;
        }

        if (await FindDataAsync(spec, placed.StartCheckpoint, stop) is not { } data)
        {
            await EndAsync(placed, AttemptState.Failed, FailureCodes.BadInput, $"The dataset {spec.Data.Dataset} is no longer in the pool.", stop);
            return null;
        }

        var checkpoint = placed.CheckpointId is { } id ? await checkpoints.FindGoodAsync(id, stop) : null;
        if (placed.CheckpointId is not null && checkpoint is null)
        {
            await EndAsync(placed, AttemptState.Lost, null, $"Its checkpoint of step {Words.Number(placed.FirstStep)} is no longer good.", stop);
            return null;
        }

        // Past its first checkpoint a run needs nothing of what it began with.
        var begins = checkpoint is null && spec.StartFrom.Length > 0;
        var start = begins && placed.StartCheckpoint is { } first ? await checkpoints.FindForGeneratingAsync(first, stop) : null;
        if (begins && start is null)
        {
            await EndAsync(placed, AttemptState.Failed, FailureCodes.BadInput, $"The checkpoint {spec.StartFrom}, which start_from names, is no longer good.", stop);
            return null;
        }

        return new Assignment
        {
            Lease = new Lease(placed.Id, placed.Epoch),
            RunId = placed.RunId,
            RunName = placed.RunName,
            Number = placed.Number,
            Spec = spec,
            DeviceIndex = placed.DeviceIndex,
            MicroBatch = placed.MicroBatch,
            Dataset = data.Raw,
            Prepared = data.Prepared,
            CheckpointId = placed.CheckpointId,
            Checkpoint = checkpoint,
            Start = start,
            PauseAtStep = placed.PauseAtStep,
        };
    }

    // An older agent hands its trainer a spec without the fields that it does not know, also when the run resumes.
    private static int Needed(RunSpec spec, AssignedAttempt placed) => spec.StartFrom.Length > 0 || placed.PauseAtStep is not null ? 2 : 1;

    private async Task<RunData?> FindDataAsync(RunSpec spec, Guid? start, CancellationToken stop) =>
        await datasets.FindAsync(spec.Data.Dataset, stop) is not { } dataset ? null
            : await prepared.FindForAsync(spec, start, dataset, stop) is { } files ? new RunData([], files)
            : new RunData(await datasets.FilesAsync(dataset.Id, stop), null);

    private async Task EndAsync(AssignedAttempt placed, AttemptState outcome, string? code, string message, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(placed.RunId, null), stop);
        if (change is not null && await change.EndAsync(new AttemptEnd(new Lease(placed.Id, placed.Epoch), outcome, placed.FirstStep, null, code, message)))
        {
            await change.CommitAsync();
        }
    }

    /// <summary>Files of a run's dataset.</summary>
    /// <param name="Raw">Empty when it is prepared.</param>
    /// <param name="Prepared">Tokenised, or null.</param>
    private sealed record RunData(IReadOnlyList<BlobRef> Raw, IReadOnlyList<BlobRef>? Prepared);
}
