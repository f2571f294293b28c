using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>
/// Reads checkpoints that somebody could not use, byte by byte, and moves them between their states by what it finds: the only place
/// that does. While the store is away nothing is found, and nothing moves.
/// </summary>
public sealed class CheckpointVerifier(
    NpgsqlDataSource database, IObjectStore store, StoreKeeper keeper, CheckpointChecks checks, Wakes wakes, ILogger<CheckpointVerifier> log) : BackgroundService
{
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    /// <summary>Works off one check that is due. False = there was none.</summary>
    public async Task<bool> CheckOneAsync(CancellationToken stop)
    {
        if (await checks.TakeAsync(stop) is not { } check)
        {
            return false;
        }

        try
        {
            var files = await ReadAsync(check, stop);
            await ApplyAsync(check, files, CheckpointVerdict.Decide(check, files), stop);
        }
        catch (StoreAwayException e)
        {
            log.CheckPostponed(check.Id, e.Message);
            await checks.PostponeAsync(check, CheckpointVerdict.AwayPause(check.Tries), stop);
        }

        return true;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var next = wakes.Sent.Next;
            try
            {
                while (await CheckOneAsync(stoppingToken))
                {
                }
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                log.CheckFailed(e);
            }

            await Task.WhenAny(next, Task.Delay(Tick, stoppingToken));
        }
    }

    private async Task<IReadOnlyList<(FileRef File, BlobReading Reading)>> ReadAsync(DueCheck check, CancellationToken stop)
    {
        await keeper.ConfirmAsync(stop);
        await using var session = await DbSession.OpenAsync(database, stop);
        var files = (await session.QueryAsync<FileRef>(
            "select name, sha256, bytes from checkpoint_files where checkpoint_id = @Id order by name", new { check.Id })).ToList();
        var readings = new List<(FileRef, BlobReading)>();
        foreach (var file in files)
        {
            await checks.RenewAsync(check.Id, stop);
            readings.Add((file, await BlobReading.ReadAsync(store, file, stop)));
        }

        // A disk may fall off while it is read: what was not found counts only if the store is still there afterwards.
        await keeper.ConfirmAsync(stop);
        return readings;
    }

    private async Task ApplyAsync(DueCheck check, IReadOnlyList<(FileRef File, BlobReading Reading)> files, CheckpointVerdict verdict, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        var noted = await session.SingleAsync<Noted>(
            """
            with run as (select id from runs where id = @RunId for no key update),
            moved as (
                update checkpoints c set status = @Status, note = @Note, status_at = case when c.status = @Status then c.status_at else now() end
                from run where c.id = @Id and c.run_id = run.id and c.status = @before returning c.id),
            marked as (
                update blobs set damaged_at = case when sha256 = any(@damaged) then now() end
                where sha256 in (select sha256 from blobs where sha256 = any(@read) order by sha256 for update) and exists (select 1 from moved)),
            later as (update checkpoint_checks set next_at = now() + make_interval(secs => @again) where checkpoint_id = @Id and @again > 0),
            done as (delete from checkpoint_checks where checkpoint_id = @Id and @again = 0),
            noted as (
                insert into run_notes (run_id, kind, text, step) select @RunId, 'checkpoint_' || @Status, @Told, @Step from moved where @Told is not null
                returning id, at)
            select (select id from noted) as id, (select at from noted) as at
            """,
            new
            {
                check.Id,
                check.RunId,
                check.Step,
                verdict.Status,
                verdict.Note,
                verdict.Told,
                before = check.Status,
                again = verdict.AgainIn?.TotalSeconds ?? 0,
                damaged = files.Where(f => f.Reading is BlobReading.Damaged).Select(f => f.File.Sha256).ToArray(),
                read = files.Where(f => f.Reading is not BlobReading.Missing).Select(f => f.File.Sha256).ToArray(),
            });
        if (noted is { Id: { } id, At: { } at })
        {
            await EventLog.AddAsync(session, "note", check.RunId, new RunNote(id, at, "checkpoint_" + verdict.Status, verdict.Told!, check.Step));
        }

        await session.CommitAsync();
        wakes.Scheduler();
    }

    private sealed record Noted(long? Id, DateTimeOffset? At);
}
