using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Hearth.Coordinator.Metrics;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>What became of a commit.</summary>
public abstract record CommitResult
{
    public sealed record Done(CheckpointCommitted Answer) : CommitResult;

    public sealed record Fenced : CommitResult;

    /// <summary>These blobs are not in the store.</summary>
    public sealed record Missing(IReadOnlyList<FileRef> Files) : CommitResult;
}

/// <summary>Checkpoints as rows over content-addressed blobs. One exists once its row does, and the row only once its blobs do.</summary>
public sealed class CheckpointStore(NpgsqlDataSource database, BlobLedger blobs, Wakes wakes)
{
    private const string Columns = "id, step, created_at, bytes, trace, pause_seconds, status, note";

    /// <summary>
    /// Makes a checkpoint exist, once however often it is asked for, and lets surplus ones go. The row is written only if the epoch
    /// holds and no blob was swept away meanwhile, in one statement.
    /// </summary>
    public async Task<CommitResult> CommitAsync(CheckpointCommit commit, Guid worker, CancellationToken stop)
    {
        var lease = commit.Lease;
        var missing = await blobs.MissingAsync(commit.Manifest.Files, stop);
        if (missing.Count > 0)
        {
            return await blobs.IsLiveAsync(lease, worker, stop) ? new CommitResult.Missing(missing) : new CommitResult.Fenced();
        }

        await using var session = await DbSession.BeginAsync(database, stop);
        var made = await InsertAsync(session, commit, worker);
        if (!made.IsLive)
        {
            return new CommitResult.Fenced();
        }

        if (made.Id is not { } id || made.RunId is not { } run)
        {
            // Announced too long ago: the blobs went between our look and the statement.
            return new CommitResult.Missing(commit.Manifest.Files);
        }

        var removed = await RemoveSurplusAsync(session, run);
        var view = (await ReadAsync(session, "id = @id", new { id })).Single();
        await EventLog.AddAsync(session, "checkpoint", run, view);
        await session.CommitAsync();
        return new CommitResult.Done(new CheckpointCommitted(id, removed));
    }

    /// <summary>Gives up one that cannot be used. False = there is none, or it is good.</summary>
    public async Task<bool> DiscardAsync(Guid runId, Guid checkpointId, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        var gone = await session.FindAsync<long?>(
            """
            select c.step from (select id from runs where id = @runId for no key update) r join checkpoints c on c.run_id = r.id
            where c.id = @checkpointId and c.status in ('missing', 'damaged', 'quarantined') for update of c
            """,
            new { runId, checkpointId });
        if (gone is null)
        {
            return false;
        }

        await RemoveAsync(session, [checkpointId]);
        await session.CommitAsync();
        wakes.Scheduler();
        return true;
    }

    /// <summary>Newest first, with those that were removed or cannot be used.</summary>
    public async Task<IReadOnlyList<CheckpointView>> ListAsync(Guid runId, CancellationToken stop = default)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await ReadAsync(session, "run_id = @runId", new { runId });
    }

    /// <summary>Files of a checkpoint with addresses to read them; null when it is not good any more.</summary>
    public async Task<IReadOnlyList<BlobRef>?> FindGoodAsync(Guid checkpointId, CancellationToken stop = default)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var found = (await ReadAsync(session, "id = @checkpointId and status = 'kept'", new { checkpointId })).SingleOrDefault();
        return found is null ? null : await blobs.SignAsync(found.Files);
    }

    /// <summary>As <see cref="FindGoodAsync"/>, but only the files that its model is made of.</summary>
    public async Task<IReadOnlyList<BlobRef>?> FindForGeneratingAsync(Guid checkpointId, CancellationToken stop)
    {
        var files = await FindGoodAsync(checkpointId, stop);
        var names = files?.Select(f => f.Name).ToList();
        return files is null ? null : [.. files.Where(f => CheckpointFiles.IsForGenerating(f.Name, names!))];
    }

    /// <summary>One file of a checkpoint that is still kept.</summary>
    public async Task<FileRef?> FindFileAsync(Guid runId, Guid checkpointId, string name, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<FileRef>(
            """
            select f.name, f.sha256, f.bytes from checkpoint_files f join checkpoints c on c.id = f.checkpoint_id
            where c.run_id = @runId and c.id = @checkpointId and c.status = 'kept' and f.name = @name
            """,
            new { runId, checkpointId, name });
    }

    /// <summary>SHA-256 over what makes two checkpoints of a step the same: their trace and their files.</summary>
    public static string Identity(CheckpointManifest manifest)
    {
        var lines = manifest.Files.OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Name} {f.Sha256} {f.Bytes}"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', [manifest.Trace, .. lines]))));
    }

    // One that comes again after it was found missing or damaged is good again: its blobs are there, and those that were damaged have
    // been read anew (BlobLedger). One that attempts could not use though it was whole stays out of use.
    private static Task<Made> InsertAsync(DbSession session, CheckpointCommit commit, Guid worker)
    {
        var manifest = commit.Manifest;
        return session.SingleAsync<Made>(
            $"""
            with live as ({Fence.LiveRun}),
            held as (
                update blobs set wanted_by = null, quarantined_at = null
                where sha256 in (select b.sha256 from blobs b where b.sha256 = any(@shas) order by b.sha256 for update) and exists (select 1 from live)
                returning sha256),
            made as (
                insert into checkpoints (id, run_id, attempt_id, step, identity, trace, bytes, pause_seconds, write_seconds)
                select @id, live.run_id, live.attempt_id, @step, @identity, @trace, @bytes, @pause, @write
                from live where (select count(*) from held) = cardinality(@shas)
                on conflict (run_id, step, identity) do update set
                    status = case when checkpoints.status = 'quarantined' then 'quarantined' else 'kept' end,
                    note = case when checkpoints.status = 'quarantined' then checkpoints.note end,
                    status_at = case when checkpoints.status in ('kept', 'quarantined') then checkpoints.status_at else now() end
                returning id, run_id),
            unchecked as (delete from checkpoint_checks where checkpoint_id in (select id from made)),
            filed as (
                insert into checkpoint_files (checkpoint_id, name, sha256, bytes)
                select made.id, f.name, f.sha256, f.bytes from made cross join unnest(@names, @fileShas, @fileBytes) as f (name, sha256, bytes)
                on conflict do nothing)
            select exists (select 1 from live) as is_live, (select id from made) as id, (select run_id from made) as run_id
            """,
            new
            {
                attempt = commit.Lease.AttemptId,
                epoch = commit.Lease.Epoch,
                worker,
                id = Guid.CreateVersion7(),
                step = manifest.Step,
                identity = Identity(manifest),
                trace = manifest.Trace,
                bytes = manifest.Files.Sum(f => f.Bytes),
                pause = commit.PauseSeconds,
                write = commit.WriteSeconds,
                shas = BlobLedger.Shas(manifest.Files),
                names = manifest.Files.Select(f => f.Name).ToArray(),
                fileShas = manifest.Files.Select(f => f.Sha256).ToArray(),
                fileBytes = manifest.Files.Select(f => f.Bytes).ToArray(),
            });
    }

    private static async Task<IReadOnlyList<long>> RemoveSurplusAsync(DbSession session, Guid runId)
    {
        int keepLast = await session.SingleAsync<int>(
            "select coalesce((spec->'checkpoint'->>'keep_last')::int, @Default) from runs where id = @runId",
            new { runId, Default = new CheckpointSpec().KeepLast });
        var evaluations = await MetricReader.PointsAsync(session, runId, "validation_loss");
        var good = (await session.QueryAsync<(Guid Id, long Step)>(
            "select id, step from checkpoints where run_id = @runId and status = 'kept'", new { runId }))
            .Select(c => new KeptCheckpoint(c.Id, c.Step, Retention.LossAt(c.Step, evaluations))).ToList();
        var held = (await session.QueryAsync<Guid>(
            "select distinct s.start_checkpoint from runs s join checkpoints c on c.id = s.start_checkpoint where c.run_id = @runId and s.state not in ('succeeded', 'failed', 'cancelled')",
            new { runId })).ToHashSet();
        var surplus = Retention.Surplus(good, keepLast).Where(c => !held.Contains(c.Id)).ToList();
        await RemoveAsync(session, [.. surplus.Select(c => c.Id)]);
        await RemoveAsync(session, [.. await HopelessAsync(session, runId)]);
        return [.. surplus.Select(c => c.Step)];
    }

    // Those that could not be used for a day, while the run has gone on to a newer one.
    private static Task<IReadOnlyList<Guid>> HopelessAsync(DbSession session, Guid runId) =>
        session.QueryAsync<Guid>(
            """
            select id from checkpoints c where run_id = @runId and status in ('missing', 'damaged', 'quarantined') and status_at < now() - make_interval(secs => @seconds)
                and exists (select 1 from checkpoints k where k.run_id = c.run_id and k.status = 'kept' and k.step > c.step)
            """,
            new { runId, seconds = BlobSweeper.Quarantine.TotalSeconds });

    private static async Task RemoveAsync(DbSession session, Guid[] ids)
    {
        if (ids.Length == 0)
        {
            return;
        }

        // An attempt may be fetching one just now, so its blobs stay for as long as an upload would.
        await session.ExecuteAsync(
            """
            update blobs set wanted_at = now() where sha256 in (
                select b.sha256 from blobs b join checkpoint_files f on f.sha256 = b.sha256 where f.checkpoint_id = any(@ids) order by b.sha256 for update of b);
            delete from checkpoint_files where checkpoint_id = any(@ids);
            delete from checkpoint_checks where checkpoint_id = any(@ids);
            update checkpoints set status = 'removed', status_at = now() where id = any(@ids);
            """,
            new { ids });
    }

    private static async Task<IReadOnlyList<CheckpointView>> ReadAsync(DbSession session, string where, object parameters)
    {
        var rows = (await session.QueryAsync<Row>(
            $"select {Columns} from checkpoints where {where} order by step desc, created_at desc", parameters)).ToList();
        var files = (await session.QueryAsync<FileRow>(
            "select checkpoint_id, name, sha256, bytes from checkpoint_files where checkpoint_id = any(@ids) order by name",
            new { ids = rows.Select(r => r.Id).ToArray() })).ToLookup(f => f.CheckpointId);
        return [.. rows.Select(r => new CheckpointView
        {
            Id = r.Id,
            Step = r.Step,
            CreatedAt = r.CreatedAt,
            Bytes = r.Bytes,
            Trace = r.Trace,
            PauseSeconds = r.PauseSeconds,
            Status = r.Status,
            Note = r.Note,
            Files = [.. files[r.Id].Select(f => new FileRef(f.Name, f.Sha256, f.Bytes))],
        })];
    }

    private sealed record Made(bool IsLive, Guid? Id, Guid? RunId);

    private sealed record Row(Guid Id, long Step, DateTimeOffset CreatedAt, long Bytes, string Trace, double PauseSeconds, string Status, string? Note);

    private sealed record FileRow(Guid CheckpointId, string Name, string Sha256, long Bytes);
}
