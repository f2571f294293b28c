using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Dapper;
using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Hosting;
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

        await using var connection = await database.OpenConnectionAsync(stop);
        await using var transaction = await connection.BeginTransactionAsync(stop);
        var made = await InsertAsync(connection, transaction, commit, worker, stop);
        if (!made.IsLive)
        {
            return new CommitResult.Fenced();
        }

        if (made.Id is not { } id || made.RunId is not { } run)
        {
            // Announced too long ago: the blobs went between our look and the statement.
            return new CommitResult.Missing(commit.Manifest.Files);
        }

        var removed = await RemoveSurplusAsync(connection, transaction, run, stop);
        var view = (await ReadAsync(connection, transaction, "id = @id", new { id }, stop)).Single();
        await EventLog.AddAsync(connection, transaction, "checkpoint", run, view, stop);
        await transaction.CommitAsync(stop);
        return new CommitResult.Done(new CheckpointCommitted(id, removed));
    }

    /// <summary>Gives up one that cannot be used. False = there is none, or it is good.</summary>
    public async Task<bool> DiscardAsync(Guid runId, Guid checkpointId, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        await using var transaction = await connection.BeginTransactionAsync(stop);
        var gone = await connection.QuerySingleOrDefaultAsync<long?>(new CommandDefinition(
            """
            select c.step from (select id from runs where id = @runId for no key update) r join checkpoints c on c.run_id = r.id
            where c.id = @checkpointId and c.status in ('missing', 'damaged', 'quarantined') for update of c
            """,
            new { runId, checkpointId }, transaction, cancellationToken: stop));
        if (gone is null)
        {
            return false;
        }

        await RemoveAsync(connection, transaction, [checkpointId], stop);
        await transaction.CommitAsync(stop);
        wakes.Scheduler();
        return true;
    }

    /// <summary>Newest first, with those that were removed or cannot be used.</summary>
    public async Task<IReadOnlyList<CheckpointView>> ListAsync(Guid runId, CancellationToken stop = default)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        return await ReadAsync(connection, null, "run_id = @runId", new { runId }, stop);
    }

    /// <summary>Files of a checkpoint with addresses to read them; null when it is not good any more.</summary>
    public async Task<IReadOnlyList<BlobRef>?> FindGoodAsync(Guid checkpointId, CancellationToken stop = default)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        var found = (await ReadAsync(connection, null, "id = @checkpointId and status = 'kept'", new { checkpointId }, stop)).SingleOrDefault();
        return found is null ? null : await blobs.SignAsync(found.Files);
    }

    /// <summary>One file of a checkpoint that is still kept.</summary>
    public async Task<FileRef?> FindFileAsync(Guid runId, Guid checkpointId, string name, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        return await connection.QuerySingleOrDefaultAsync<FileRef>(new CommandDefinition(
            """
            select f.name, f.sha256, f.bytes from checkpoint_files f join checkpoints c on c.id = f.checkpoint_id
            where c.run_id = @runId and c.id = @checkpointId and c.status = 'kept' and f.name = @name
            """,
            new { runId, checkpointId, name },
            cancellationToken: stop));
    }

    /// <summary>SHA-256 over what makes two checkpoints of a step the same: their trace and their files.</summary>
    public static string Identity(CheckpointManifest manifest)
    {
        var lines = manifest.Files.OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Name} {f.Sha256} {f.Bytes}"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', [manifest.Trace, .. lines]))));
    }

    // One that comes again after it was found missing or damaged is good again: its blobs are there, and those that were damaged have
    // been read anew (BlobLedger). One that attempts could not use though it was whole stays out of use.
    private static Task<Made> InsertAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CheckpointCommit commit, Guid worker, CancellationToken stop)
    {
        var manifest = commit.Manifest;
        return connection.QuerySingleAsync<Made>(new CommandDefinition(
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
            },
            transaction,
            cancellationToken: stop));
    }

    private static async Task<IReadOnlyList<long>> RemoveSurplusAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid runId, CancellationToken stop)
    {
        int keepLast = await connection.ExecuteScalarAsync<int>(new CommandDefinition(
            "select coalesce((spec->'checkpoint'->>'keep_last')::int, @Default) from runs where id = @runId",
            new { runId, Default = new CheckpointSpec().KeepLast }, transaction, cancellationToken: stop));
        var evaluations = await MetricReader.PointsAsync(connection, transaction, runId, "validation_loss", stop);
        var good = (await connection.QueryAsync<(Guid Id, long Step)>(new CommandDefinition(
            "select id, step from checkpoints where run_id = @runId and status = 'kept'", new { runId }, transaction, cancellationToken: stop)))
            .Select(c => new KeptCheckpoint(c.Id, c.Step, Retention.LossAt(c.Step, evaluations))).ToList();
        var surplus = Retention.Surplus(good, keepLast);
        await RemoveAsync(connection, transaction, [.. surplus.Select(c => c.Id)], stop);
        await RemoveAsync(connection, transaction, [.. await HopelessAsync(connection, transaction, runId, stop)], stop);
        return [.. surplus.Select(c => c.Step)];
    }

    // Those that could not be used for a day, while the run has gone on to a newer one.
    private static Task<IEnumerable<Guid>> HopelessAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid runId, CancellationToken stop) =>
        connection.QueryAsync<Guid>(new CommandDefinition(
            """
            select id from checkpoints c where run_id = @runId and status in ('missing', 'damaged', 'quarantined') and status_at < now() - make_interval(secs => @seconds)
                and exists (select 1 from checkpoints k where k.run_id = c.run_id and k.status = 'kept' and k.step > c.step)
            """,
            new { runId, seconds = BlobSweeper.Quarantine.TotalSeconds }, transaction, cancellationToken: stop));

    private static async Task RemoveAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid[] ids, CancellationToken stop)
    {
        if (ids.Length == 0)
        {
            return;
        }

        // An attempt may be fetching one just now, so its blobs stay for as long as an upload would.
        await connection.ExecuteAsync(new CommandDefinition(
            """
            update blobs set wanted_at = now() where sha256 in (
                select b.sha256 from blobs b join checkpoint_files f on f.sha256 = b.sha256 where f.checkpoint_id = any(@ids) order by b.sha256 for update of b);
            delete from checkpoint_files where checkpoint_id = any(@ids);
            delete from checkpoint_checks where checkpoint_id = any(@ids);
            update checkpoints set status = 'removed', status_at = now() where id = any(@ids);
            """,
            new { ids }, transaction, cancellationToken: stop));
    }

    private static async Task<IReadOnlyList<CheckpointView>> ReadAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, string where, object parameters, CancellationToken stop)
    {
        var rows = (await connection.QueryAsync<Row>(new CommandDefinition(
            $"select {Columns} from checkpoints where {where} order by step desc, created_at desc", parameters, transaction, cancellationToken: stop))).ToList();
        var files = (await connection.QueryAsync<FileRow>(new CommandDefinition(
            "select checkpoint_id, name, sha256, bytes from checkpoint_files where checkpoint_id = any(@ids) order by name",
            new { ids = rows.Select(r => r.Id).ToArray() }, transaction, cancellationToken: stop))).ToLookup(f => f.CheckpointId);
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
