using Hearth.Coordinator.Database;
using Hearth.Coordinator.Jobs;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Events;

/// <summary>Keeps the list of events at the length that streams may be behind.</summary>
internal sealed class EventTrimJob(NpgsqlDataSource database) : IRecurringJob
{
    public string Name => "event-trim";

    public string Does => $"Forgets all but the newest {Words.Number(EventLog.Backlog)} events; a page that is further behind reads everything anew.";

    public string Cron => "*/5 * * * *";

    public async Task<string> RunAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await EventLog.TrimAsync(session) is > 0 and int gone ? $"Forgot {Words.Number(gone)} events." : "There were no more events than are kept.";
    }
}
