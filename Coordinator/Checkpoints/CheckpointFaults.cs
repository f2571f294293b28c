using Hearth.Api;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>What workers say of checkpoints: that one could not be stored, or that one cannot be used.</summary>
public sealed class CheckpointFaults(NpgsqlDataSource database, Wakes wakes)
{
    private const int LongestReason = 1000;

    /// <summary>A checkpoint did not come to be; training goes on. A repeat leaves no second note. False = fenced.</summary>
    public async Task<bool> FailedAsync(CheckpointProblem problem, Guid worker, CancellationToken stop)
    {
        const string Kind = "checkpoint_failed";
        string text = $"The checkpoint of step {Words.Number(problem.Step)} could not be stored: {Sentence(problem.Reason)} Training goes on; an earlier one still stands.";
        await using var session = await DbSession.BeginAsync(database, stop);
        var noted = await session.SingleAsync<Noted>(
            $"""
            with live as ({Fence.LiveRun}),
            noted as (
                insert into run_notes (run_id, kind, text, step)
                select live.run_id, @Kind, @text, @Step from live
                where not exists (select 1 from run_notes n where n.run_id = live.run_id and n.kind = @Kind and n.step = @Step and n.text = @text)
                returning id, at)
            select (select run_id from live) as run_id, (select id from noted) as note_id, (select at from noted) as at
            """,
            new { attempt = problem.Lease.AttemptId, epoch = problem.Lease.Epoch, worker, problem.Step, text, Kind });
        if (noted is { RunId: { } run, NoteId: { } id, At: { } at })
        {
            await EventLog.AddAsync(session, "note", run, new RunNote(id, at, Kind, text, problem.Step));
        }

        await session.CommitAsync();
        return noted.RunId is not null;
    }

    /// <summary>An attempt says that it cannot use a checkpoint. Nothing is taken out of use on its word: the coordinator reads it itself. False = fenced.</summary>
    public async Task<bool> UnreadableAsync(CheckpointProblem problem, Guid worker, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        bool live = await session.SingleAsync<bool>(
            $"with live as ({Fence.LiveRun}) select exists (select 1 from checkpoints c join live on live.run_id = c.run_id where c.id = @checkpoint) or (@checkpoint is null and exists (select 1 from live))",
            new { attempt = problem.Lease.AttemptId, epoch = problem.Lease.Epoch, worker, checkpoint = problem.CheckpointId });
        if (live && problem.CheckpointId is { } checkpoint)
        {
            await CheckpointComplaints.AddAsync(session, checkpoint, problem.Lease.AttemptId, Sentence(problem.Reason));
        }

        await session.CommitAsync();
        wakes.Scheduler();
        return live;
    }

    private static string Sentence(string reason) => StoredText.Of(reason.TrimEnd(), LongestReason) is { Length: > 0 } text ? (text[^1] is '.' or '!' or '?' ? text : text + ".") : "no reason was given.";

    private sealed record Noted(Guid? RunId, long? NoteId, DateTimeOffset? At);
}
