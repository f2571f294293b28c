using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Generations;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Workers;

/// <summary>What came of a report: ends that need not be told again, and attempts that are over for their worker.</summary>
public sealed record Taken(IReadOnlyList<Guid> Acknowledged, IReadOnlyList<Guid> Revoked);

/// <summary>Nothing of a report was taken in, for its session is over or a later report came first.</summary>
/// <param name="Ended">Why its agent is to stop; null = a later report came first.</param>
public sealed record Refusal(string? Ended);

/// <summary>Takes in what a worker reports: that it lives, its devices, how its attempts stand and which have ended.</summary>
public sealed class Heartbeats(NpgsqlDataSource database, AttemptReports attempts, Wakes wakes, WorkerStore workers, GenerationMail generations, CoordinatorOptions options)
{
    private const int LongestNote = 400;
    private readonly Presences _presences = new(database, workers, wakes);

    /// <returns>What was taken in, or why nothing was.</returns>
    public async Task<(Taken? Taken, Refusal? Refusal)> TakeAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        var noted = await _presences.NoteAsync(new Presence(worker, request), stop);
        if ((noted is { Overtaken: true } ? new Refusal(null) : noted is null ? await ReportPresenceAsync(worker, request, stop) : null) is { } refusal)
        {
            return (null, refusal);
        }

        foreach (var end in request.Ended)
        {
            await attempts.EndAsync(worker, end, stop);
        }

        // Side by side, so that they share a statement instead of each waiting for the next.
        bool[] renewed = await Task.WhenAll(request.Attempts.Select(report => attempts.RenewLeaseAsync(worker, request.Session?.Report ?? 0, report, stop)));
        var revoked = request.Attempts.Where((_, i) => !renewed[i]).Select(report => report.Lease.AttemptId).ToList();

        var (missing, anyGeneration) = await CompareAsync(worker, request, stop);
        await attempts.LoseMissingAsync(worker, missing, stop);
        if (anyGeneration)
        {
            await generations.FailMissingAsync(worker, request.Generations, stop);
        }

        return (new Taken([.. request.Ended.Select(e => e.Lease.AttemptId)], revoked), null);
    }

    // What is there beside what the worker names. It has arrived what it says it has seen.
    private async Task<(MissingAttempt[] Attempts, bool AnyGeneration)> CompareAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.BatchAsync(
            $"{AttemptMail.ForgetArrived}; {AttemptReports.SelectMissing}; {GenerationMail.RenewLeases}",
            new
            {
                worker,
                request.SeenSerial,
                known = request.Attempts.Select(a => a.Lease.AttemptId).Concat(request.Ended.Select(e => e.Lease.AttemptId)).ToArray(),
                generations = request.Generations.ToArray(),
                lease = options.Lease.TotalSeconds,
            },
            async rows => ((await rows.ReadAsync<MissingAttempt>()).ToArray(), await rows.ReadSingleAsync<bool>()));
    }

    private async Task<Refusal?> ReportPresenceAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        var before = await session.SingleAsync<Before>(
            """
            select w.name, w.session_id, w.session_report, w.session_host, exists (select from ended_sessions e where e.id = @reported) as ended
            from workers w where w.id = @worker for update
            """,
            new { worker, reported = request.Session?.Id });
        var standing = AgentSessions.Judge(before.SessionId, before.SessionReport, request.Session, before.Ended);
        if (standing is ReportStanding.Overtaken)
        {
            return new Refusal(null);
        }

        if (standing is ReportStanding.Ended)
        {
            await NoteAsync(session, worker, AgentSessions.Refused(request.Session!.Host, before.SessionHost));
            await session.CommitAsync();
            return new Refusal(AgentSessions.Ended(before.Name, before.SessionHost));
        }

        if (standing is ReportStanding.Begins)
        {
            await BeginAsync(session, worker);
        }

        var seen = (await Presences.WriteAsync(session, [new Presence(worker, request)], judged: true)).Single();
        string[] notes = [.. new[] { request.CutOff is { } outage ? AgentSessions.Said(outage) : null, request.Refused is { } refused ? AgentSessions.Said(refused) : null }.OfType<string>()];
        if (notes.Length > 0)
        {
            await NoteAsync(session, worker, string.Join(' ', notes));
        }
        else if (seen.Changed || seen.Due)
        {
            await workers.TellAsync(session, [worker]);
        }

        await session.CommitAsync();
        if (seen.Changed)
        {
            wakes.Scheduler();
        }

        return null;
    }

    // An ended session is remembered longer than any agent could have slept.
    private static Task<int> BeginAsync(DbSession session, Guid worker) => session.ExecuteAsync(
        """
        delete from ended_sessions where worker_id = @worker and ended_at < now() - interval '1 year';
        insert into ended_sessions (id, worker_id) select session_id, id from workers where id = @worker and session_id is not null on conflict do nothing
        """,
        new { worker });

    private async Task NoteAsync(DbSession session, Guid worker, string note)
    {
        await session.ExecuteAsync("update workers set note = @note, noted_at = now() where id = @worker", new { worker, note = StoredText.Of(note, LongestNote) });
        await workers.TellAsync(session, [worker]);
    }

    private sealed record Before(string Name, Guid? SessionId, long SessionReport, string SessionHost, bool Ended);
}
