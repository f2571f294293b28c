using System.Diagnostics;
using System.Globalization;
using System.Net;
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
    private readonly BlobSender _sender = new(services.Blobs.Store);
    private IReadOnlyList<FileRef> _cached = [];
    private Waiting? _withoutRoom;
    private int _newest;
    private int _stored;
    private string? _failure;

    /// <param name="Event">What the trainer said of it.</param>
    /// <param name="Folder">Its files, linked.</param>
    /// <param name="Order">Rises with each checkpoint; steps need not, after a roll-back.</param>
    private sealed record Waiting(CheckpointEvent Event, string Folder, int Order);

    /// <summary>Called with what the last checkpoint waits for.</summary>
    public Action<string> Waits { get; init; } = _ => { };

    /// <summary>Why the newest checkpoint is not stored; null when it is, or none came.</summary>
    public string? Unstored => Volatile.Read(ref _stored) == Volatile.Read(ref _newest) ? null : _failure ?? "the upload was cut off";

    public void Add(CheckpointEvent saved)
    {
        int order = Interlocked.Increment(ref _newest);
        var folder = Path.Combine(work, "outgoing", order.ToString(CultureInfo.InvariantCulture));
        try
        {
            foreach (var file in Directory.EnumerateFiles(saved.Path))
            {
                FileLink.LinkOrCopy(file, Path.Combine(folder, Path.GetFileName(file)));
            }

            _queue.Writer.TryWrite(new Waiting(saved, folder, order));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _failure = $"its files cannot be read: {e.Message}";
            Add(new CheckpointFailedEvent(saved.Step, _failure));
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

        await AwaitRoomAsync(cancel);
    }

    private async Task StoreCheckpointAsync(Waiting waiting, CancellationToken cancel)
    {
        var step = waiting.Event.Step;
        Drop(ref _withoutRoom);
        try
        {
            if (IsSuperseded(waiting))
            {
                tell(LogLevel.Info, $"the checkpoint of step {step} was not stored: a newer one was ready first");
                return;
            }

            var manifest = await ReadManifestAsync(waiting.Folder, cancel);
            Stored(waiting, manifest, await RetryAsync(() => CommitAsync(waiting, manifest, cancel), () => IsSuperseded(waiting), cancel));
        }
        catch (TransferException e) when (e is not CoordinatorException { IsFenced: true })
        {
            _withoutRoom = e.IsFull ? waiting : null;
            await FailAsync(step, e.Message, cancel);
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            await FailAsync(step, $"its files cannot be read: {e.Message}", cancel);
        }
        finally
        {
            if (_withoutRoom != waiting)
            {
                AgentHome.Remove(waiting.Folder, services.Log);
            }
        }
    }

    private async Task<CheckpointCommitted> CommitAsync(Waiting waiting, CheckpointManifest manifest, CancellationToken cancel)
    {
        await PutAllAsync(waiting.Folder, manifest.Files, cancel);
        var commit = new CheckpointCommit(lease, manifest, waiting.Event.PauseSeconds, waiting.Event.WriteSeconds);
        return await services.Client.PostAsync<CheckpointCommitted>("api/worker/checkpoints", commit, cancel);
    }

    private void Stored(Waiting waiting, CheckpointManifest manifest, CheckpointCommitted committed)
    {
        Volatile.Write(ref _stored, waiting.Order);
        services.Log.Info($"{lease.AttemptId:N}: checkpoint of step {waiting.Event.Step} stored as {committed.CheckpointId:N}");
        KeepForResume(waiting.Folder, manifest.Files);
        Prune(waiting.Event.Step);
    }

    /// <summary>
    /// The trainer is gone, and its last checkpoint met a full store: without it the steps since the one before would be trained again, so it is
    /// worth a wait. One that came before the last is superseded by it, and not waited for.
    /// </summary>
    private async Task AwaitRoomAsync(CancellationToken cancel)
    {
        if (_withoutRoom is not { } waiting)
        {
            return;
        }

        string what = $"The object store is full. The last checkpoint, of step {waiting.Event.Step}, waits for room, for {services.Timings.RoomWait.TotalMinutes:0} minutes at most.";
        tell(LogLevel.Warning, what);
        Waits(what);
        var since = Stopwatch.StartNew();
        try
        {
            var manifest = await ReadManifestAsync(waiting.Folder, cancel);
            for (int failures = 1; since.Elapsed < services.Timings.RoomWait; failures++)
            {
                await Task.Delay(services.Timings.Retry(failures, refused: true), cancel);
                try
                {
                    Stored(waiting, manifest, await CommitAsync(waiting, manifest, cancel));
                    tell(LogLevel.Info, $"there is room again: the checkpoint of step {waiting.Event.Step} is stored");
                    return;
                }
                catch (TransferException e) when (e.IsTransient || e.IsOutage)
                {
                    _failure = e.Message;
                }
            }
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException or TransferException and not CoordinatorException { IsFenced: true })
        {
            _failure = e.Message;
        }
        finally
        {
            Drop(ref _withoutRoom);
        }
    }

    private void Drop(ref Waiting? waiting)
    {
        if (waiting is { } gone)
        {
            AgentHome.Remove(gone.Folder, services.Log);
            waiting = null;
        }
    }

    private bool IsSuperseded(Waiting waiting) => Volatile.Read(ref _newest) > waiting.Order;

    private async Task FailAsync(long step, string reason, CancellationToken cancel)
    {
        _failure = reason;
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
        foreach (var ticket in answer.Tickets.Where(t => t.Parts.Count > 0))
        {
            var file = distinct.First(f => string.Equals(f.Sha256, ticket.Sha256, StringComparison.OrdinalIgnoreCase));
            var receipts = await _sender.SendAsync(ticket, Path.Combine([folder, .. file.Name.Split('/')]), cancel);
            if (ticket.UploadId is { } upload)
            {
                await FinishAsync(ticket, new UploadFinish(lease, ticket.Sha256, upload, receipts), file.Bytes, cancel);
            }
        }
    }

    private async Task FinishAsync(UploadTicket ticket, UploadFinish finish, long bytes, CancellationToken cancel)
    {
        try
        {
            // The coordinator may read the whole blob before it answers.
            await services.Client.PostAsync("api/worker/uploads/finish", finish, TimeSpan.FromSeconds(30 + (bytes / 5e7)), cancel);
            _sender.Forget(ticket);
        }
        catch (CoordinatorException e) when (e.Status is HttpStatusCode.NotFound or HttpStatusCode.UnprocessableEntity)
        {
            // Begun anew, but not for ever: it counts as an answer.
            _sender.Forget(ticket);
            throw new TransferException(HttpStatusCode.BadGateway, e.Message, e);
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
    /// A network or a store that is away is waited for as long as it takes, unless something newer waits behind; an answer that says no is
    /// asked again a few times only, counted anew with every part that arrives.
    /// </summary>
    private async Task<T> RetryAsync<T>(Func<Task<T>> work, Func<bool> superseded, CancellationToken cancel)
    {
        for (int failures = 0, answers = 0, arrived = _sender.Arrived; ;)
        {
            try
            {
                return await work();
            }
            catch (TransferException e) when (e is not CoordinatorException { IsFenced: true } && (e.IsTransient || e.IsOutage || IsRefusal(e)))
            {
                (failures, answers, arrived) = _sender.Arrived > arrived ? (0, 0, _sender.Arrived) : (failures, answers, arrived);
                answers += e.IsOutage ? 0 : 1;
                if (failures == 0 && e is not CoordinatorException)
                {
                    tell(LogLevel.Warning, $"{e.Message}; trying again");
                }

                if (answers >= services.Timings.UploadTries || (failures >= 3 && superseded()))
                {
                    throw;
                }

                await Task.Delay(services.Timings.Retry(++failures), cancel);
            }
        }
    }

    // A signed address runs out after a while, and the next try asks for a new one.
    private static bool IsRefusal(TransferException e) => e.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden;

    /// <summary>The newest stored checkpoint stays in the cache, so that a resume on this worker needs no download; the one before goes.</summary>
    private void KeepForResume(string folder, IReadOnlyList<FileRef> files)
    {
        try
        {
            foreach (var file in files)
            {
                services.Blobs.Keep(Path.Combine(folder, file.Name), file.Sha256);
            }

            services.Blobs.Drop(_cached.Select(f => f.Sha256).Except(files.Select(f => f.Sha256)));
            _cached = files;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CorruptBlobException)
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
