using Dapper;
using Hearth.Api;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>Checkpoints that could not be stored, or cannot be read. Both leave a note on the run; a repeat leaves no second one.</summary>
public sealed class CheckpointFaults(NpgsqlDataSource database, TimeProvider clock)
{
    /// <summary>A checkpoint did not come to be; training goes on. False = fenced.</summary>
    public Task<bool> FailedAsync(CheckpointProblem problem, Guid worker, CancellationToken stop) => RunAsync(
        problem,
        worker,
        $"""
        with live as ({Fence.LiveRun}),
        noted as (
            insert into run_notes (run_id, kind, text, step)
            select live.run_id, 'checkpoint_failed', @text, @step from live
            where not exists (select 1 from run_notes n where n.run_id = live.run_id and n.kind = 'checkpoint_failed' and n.step = @step and n.text = @text)
            returning id, at)
        select (select run_id from live) as run_id, (select id from noted) as note_id, (select at from noted) as at
        """,
        "checkpoint_failed",
        $"The checkpoint of step {problem.Step:N0} could not be stored: {Sentence(problem.Reason)} Training goes on; an earlier one still stands.",
        stop);

    /// <summary>
    /// A checkpoint cannot be read: it is never offered again, and what was stored of it so far no longer counts as stored, so that
    /// the same content can be uploaded anew. False = fenced.
    /// </summary>
    public Task<bool> CorruptAsync(CheckpointProblem problem, Guid worker, CancellationToken stop) => RunAsync(
        problem,
        worker,
        $"""
        with live as ({Fence.LiveRun}),
        hit as (
            update checkpoints c set status = 'corrupt', note = @reason from live
            where c.run_id = live.run_id and c.status = 'kept' and (c.id = @checkpoint or (@checkpoint is null and c.step = @step))
            returning c.id, c.run_id, c.step),
        suspected as (
            update blobs b set suspect_at = @now from checkpoint_files f
            where f.sha256 = b.sha256 and f.checkpoint_id in (select id from hit)),
        unfiled as (delete from checkpoint_files where checkpoint_id in (select id from hit)),
        noted as (
            insert into run_notes (run_id, kind, text, step)
            select run_id, 'checkpoint_corrupt', @text, max(step) from hit group by run_id
            returning id, at)
        select (select run_id from live) as run_id, (select id from noted) as note_id, (select at from noted) as at
        """,
        "checkpoint_corrupt",
        $"The checkpoint of step {problem.Step:N0} cannot be read: {Sentence(problem.Reason)} It will not be used again; the run goes on from an earlier one.",
        stop);

    private async Task<bool> RunAsync(CheckpointProblem problem, Guid worker, string sql, string kind, string text, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        await using var transaction = await connection.BeginTransactionAsync(stop);
        var noted = await connection.QuerySingleAsync<Noted>(new CommandDefinition(
            sql,
            new
            {
                attempt = problem.Lease.AttemptId,
                epoch = problem.Lease.Epoch,
                worker,
                checkpoint = problem.CheckpointId,
                step = problem.Step,
                reason = problem.Reason,
                text,
                now = clock.GetUtcNow(),
            },
            transaction,
            cancellationToken: stop));
        if (noted is { RunId: { } run, NoteId: { } id, At: { } at })
        {
            await EventLog.AddAsync(connection, transaction, "note", run, new RunNote(id, at, kind, text, problem.Step), stop);
        }

        await transaction.CommitAsync(stop);
        return noted.RunId is not null;
    }

    private static string Sentence(string reason) => reason.TrimEnd() is { Length: > 0 } text ? (text[^1] is '.' or '!' or '?' ? text : text + ".") : "no reason was given.";

    private sealed record Noted(Guid? RunId, long? NoteId, DateTimeOffset? At);
}
