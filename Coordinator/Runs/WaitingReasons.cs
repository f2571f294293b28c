using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Npgsql;

namespace Hearth.Coordinator.Runs;

/// <summary>Why queued runs wait, as pages show it. The scheduler decides the sentences.</summary>
public sealed class WaitingReasons(NpgsqlDataSource database)
{
    // Reasons of runs far down the queue reach a page when it is read anew.
    private const int MostTold = 100;

    /// <summary>Stores new reasons, those of the runs that are placed first in front, and tells the stream of the first ones. Writes nothing when there are none.</summary>
    /// <exception cref="TermOverException">The scheduler that found them has been replaced.</exception>
    public async Task SayAsync(IReadOnlyList<(Guid Run, string Reason)> news, SchedulerTerm term, CancellationToken stop)
    {
        if (news.Count == 0)
        {
            return;
        }

        await using var session = await DbSession.BeginAsync(database, stop);
        await term.HoldAsync(session);
        var changed = (await session.QueryAsync<Guid>(
            """
            update runs r set reason = w.reason from unnest(@ids, @reasons) as w (id, reason)
            where r.id = w.id and r.state = 'queued' and r.reason is distinct from w.reason returning r.id
            """,
            new { ids = news.Select(n => n.Run).ToArray(), reasons = news.Select(n => n.Reason).ToArray() })).ToHashSet();
        var told = news.Select(n => n.Run).Where(changed.Contains).Take(MostTold).ToArray();
        var rows = await session.QueryAsync<RunRow>($"{RunRow.Select} where r.id = any(@told)", new { told });
        await EventLog.AddAsync(session, [.. rows.OrderBy(r => r.Number).Select(row => new NewEvent("run", row.Id, row.Summary()))]);
        await session.CommitAsync();
    }
}
