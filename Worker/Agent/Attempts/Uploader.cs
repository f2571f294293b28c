using System.Text.Json;
using System.Threading.Channels;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>
/// Brings finished checkpoints and prepared datasets into the store, in the order they came, while training goes on. A file is
/// linked aside when its event arrives, so that the trainer may tidy up its own folders.
/// </summary>
public sealed class Uploader(Lease lease, AttemptServices services, string work, Action<LogLevel, string> tell)
{
    private const string ManifestName = "manifest.json";
    private readonly Channel<object> _queue = Channel.CreateUnbounded<object>(new UnboundedChannelOptions { SingleReader = true });
    private long _newestQueued = -1;

    private sealed record Waiting(CheckpointEvent Event, string Folder);

    /// <summary>Step of the last checkpoint that the coordinator accepted; -1 when none was.</summary>
    public long CommittedStep { get; private set; } = -1;

    /// <summary>Why the last checkpoint that failed did so.</summary>
    public string? LastFailure { get; private set; }

    public void Add(CheckpointEvent saved)
    {
        var folder = Path.Combine(work, "outgoing", Path.GetFileName(Path.TrimEndingDirectorySeparator(saved.Path)));
        try
        {
            foreach (var file in Directory.EnumerateFiles(saved.Path))
            {
                FileLink.LinkOrCopy(file, Path.Combine(folder, Path.GetFileName(file)));
            }

            Interlocked.Exchange(ref _newestQueued, saved.Step);
            _queue.Writer.TryWrite(new Waiting(saved, folder));
        }
        catch (IOException e)
        {
            Add(new CheckpointFailedEvent(saved.Step, $"its files cannot be read: {e.Message}"));
        }
    }

    public void Add(CheckpointFailedEvent failed) => _queue.Writer.TryWrite(failed);

    public void Add(PreparedEvent prepared) => _queue.Writer.TryWrite(prepared);

    /// <summary>Nothing more will come; <see cref="RunAsync"/> returns once the queue is worked off.</summary>
    public void Complete() => _queue.Writer.TryComplete();

    /// <summary>Works the queue off until completed. Throws the <see cref="CoordinatorException"/> of a fenced epoch.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        await foreach (var item in _queue.Reader.ReadAllAsync(cancel))
        {
            try
            {
                await (item switch
                {
                    Waiting w => StoreCheckpointAsync(w, cancel),
                    PreparedEvent p => StorePreparedAsync(p, cancel),
                    CheckpointFailedEvent f => ReportFailureAsync(f.Step, f.Reason, cancel),
                    _ => throw new InvalidOperationException($"{item} has no place in this queue"),
                });
            }
            catch (TransferException e) when (e is not CoordinatorException { IsFenced: true })
            {
                // A report or a prepared dataset that cannot be stored costs the run nothing.
                tell(LogLevel.Warning, $"the store: {e.Message}");
            }
        }
    }

    private async Task StoreCheckpointAsync(Waiting waiting, CancellationToken cancel)
    {
        var step = waiting.Event.Step;
        try
        {
            var manifest = await ReadManifestAsync(waiting.Folder, cancel);
            var committed = await RetryAsync(
                async () =>
                {
                    await PutAllAsync(waiting.Folder, manifest.Files, cancel);
                    var commit = new CheckpointCommit(lease, manifest, waiting.Event.PauseSeconds, waiting.Event.WriteSeconds);
                    return await services.Client.PostAsync<CheckpointCommitted>("api/worker/checkpoints", commit, cancel);
                },
                () => Interlocked.Read(ref _newestQueued) > step,
                cancel);
            CommittedStep = step;
            services.Log.Info($"{lease.AttemptId:N}: checkpoint of step {step} stored as {committed.CheckpointId:N}");
            KeepForResume(waiting.Folder, manifest.Files);
            Prune(step);
        }
        catch (TransferException e) when (e is not CoordinatorException { IsFenced: true })
        {
            await FailAsync(step, e.Message, cancel);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            await FailAsync(step, $"its files cannot be read: {e.Message}", cancel);
        }

        AgentHome.Remove(waiting.Folder, services.Log);
    }

    private async Task FailAsync(long step, string reason, CancellationToken cancel)
    {
        LastFailure = reason;
        tell(LogLevel.Warning, $"the checkpoint of step {step} could not be stored: {reason}");
        await ReportFailureAsync(step, reason, cancel);
    }

    private Task ReportFailureAsync(long step, string reason, CancellationToken cancel) =>
        RetryAsync<object?>(
            async () =>
            {
                await services.Client.PostAsync("api/worker/checkpoints/failed", new CheckpointProblem(lease, null, step, reason), cancel);
                return null;
            },
            () => false,
            cancel);

    /// <summary>The manifest names itself too, so that a resume on another worker finds it among the checkpoint's files.</summary>
    private static async Task<CheckpointManifest> ReadManifestAsync(string folder, CancellationToken cancel)
    {
        var path = Path.Combine(folder, ManifestName);
        var manifest = JsonSerializer.Deserialize<CheckpointManifest>(await File.ReadAllBytesAsync(path, cancel), Json.Wire)
            ?? throw new JsonException($"{ManifestName} is null");
        var own = new FileRef(ManifestName, await BlobStore.HashAsync(path, cancel), new FileInfo(path).Length);
        return manifest with { Files = [.. manifest.Files.Where(f => f.Name != ManifestName), own] };
    }

    private async Task PutAllAsync(string folder, IReadOnlyList<FileRef> files, CancellationToken cancel)
    {
        var distinct = files.DistinctBy(f => f.Sha256).ToList();
        var answer = await services.Client.PostAsync<UploadsResponse>("api/worker/uploads", new UploadsRequest(lease, distinct), cancel);
        foreach (var ticket in answer.Tickets.Where(t => t.Url is not null))
        {
            var file = distinct.First(f => string.Equals(f.Sha256, ticket.Sha256, StringComparison.OrdinalIgnoreCase));
            await services.Blobs.PutAsync(ticket.Url!, Path.Combine([folder, .. file.Name.Split('/')]), cancel);
        }
    }

    private async Task StorePreparedAsync(PreparedEvent prepared, CancellationToken cancel)
    {
        try
        {
            var files = new List<FileRef>();
            foreach (var path in Directory.EnumerateFiles(prepared.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                var name = Path.GetRelativePath(prepared.Path, path).Replace('\\', '/');
                files.Add(new FileRef(name, await BlobStore.HashAsync(path, cancel), new FileInfo(path).Length));
            }

            await RetryAsync<object?>(
                async () =>
                {
                    await PutAllAsync(prepared.Path, files, cancel);
                    await services.Client.PostAsync("api/worker/prepared", new PreparedCommit(lease, prepared.Key, files), cancel);
                    return null;
                },
                () => false,
                cancel);
            tell(LogLevel.Info, $"the prepared dataset was stored ({files.Sum(f => f.Bytes) / 1e6:0.0} MB)");
        }
        catch (IOException e)
        {
            tell(LogLevel.Warning, $"the prepared dataset could not be stored: {e.Message}");
        }
    }

    /// <summary>
    /// A network that is away is waited for as long as it takes, unless something newer waits behind; an answer that says no is
    /// asked again a few times only.
    /// </summary>
    private async Task<T> RetryAsync<T>(Func<Task<T>> work, Func<bool> superseded, CancellationToken cancel)
    {
        for (int failures = 0, answers = 0; ;)
        {
            try
            {
                return await work();
            }
            catch (TransferException e) when (e is not CoordinatorException { IsFenced: true } && (e.IsTransient || e is CoordinatorException { IsUnauthorized: true }))
            {
                answers += e.Status is null ? 0 : 1;
                if (answers >= services.Timings.UploadTries || (failures >= 3 && superseded()))
                {
                    throw;
                }

                await Task.Delay(services.Timings.Retry(++failures), cancel);
            }
        }
    }

    private void KeepForResume(string folder, IReadOnlyList<FileRef> files)
    {
        try
        {
            foreach (var file in files)
            {
                services.Blobs.Keep(Path.Combine(folder, file.Name), file.Sha256);
            }
        }
        catch (Exception e) when (e is IOException or CorruptBlobException)
        {
            services.Log.Warn($"the checkpoint was stored, but not kept in the cache: {e.Message}");
        }
    }

    /// <summary>Local checkpoints older than the committed one are of no use; it and newer ones stay for a roll-back.</summary>
    private void Prune(long committed)
    {
        var root = Path.Combine(work, "checkpoints");
        var current = $"step-{committed:D9}";
        if (!Directory.Exists(root))
        {
            return;
        }

        foreach (var folder in Directory.EnumerateDirectories(root, "step-?????????"))
        {
            if (string.CompareOrdinal(Path.GetFileName(folder), current) < 0)
            {
                AgentHome.Remove(folder, services.Log);
            }
        }
    }
}
