using Cronos;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Npgsql;

namespace Hearth.Coordinator.Jobs;

/// <summary>
/// What every job did last, as rows, and who is at it. A job that goes on holds a lock of PostgreSQL's session: it ends with its coordinator at
/// once, and never before the job does.
/// </summary>
public sealed class JobTable(IEnumerable<IRecurringJob> jobs, NpgsqlDataSource database)
{
    private const int LongestResult = 1000;

    // Any constant will do; the second half of the key is the job's.
    private const int LockClass = 0x4A6F62;

    /// <summary>All jobs of this coordinator by name.</summary>
    public IReadOnlyDictionary<string, IRecurringJob> Jobs { get; } = jobs.ToDictionary(j => j.Name, StringComparer.Ordinal);

    /// <summary>Every job with its last result, by name.</summary>
    public async Task<IReadOnlyList<JobView>> ListAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var now = await session.SingleAsync<DateTimeOffset>("select now()");
        var rows = (await session.QueryAsync<Row>(
            """
            select name, began_at, started_at, seconds, failed, result, exists (
                select from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 2
                    and l.database = (select oid from pg_database where datname = current_database())
                    and l.classid::bigint = @LockClass and l.objid::bigint = hashtext(name)::bigint & 4294967295) as running
            from jobs
            """,
            new { LockClass })).ToDictionary(r => r.Name, StringComparer.Ordinal);
        return [.. Jobs.Values.OrderBy(j => j.Name, StringComparer.Ordinal).Select(j => View(j, rows.GetValueOrDefault(j.Name), now))];
    }

    /// <summary>Marks a job as begun; null when it is at work elsewhere. Hand the turn to <see cref="EndAsync"/>, and dispose of it in any case.</summary>
    internal async Task<JobTurn?> TryBeginAsync(string name, CancellationToken stop)
    {
        var session = await DbSession.OpenAsync(database, stop);
        if (!await session.SingleAsync<bool>("select pg_try_advisory_lock(@LockClass, hashtext(@name))", new { LockClass, name }))
        {
            await session.DisposeAsync();
            return null;
        }

        var turn = new JobTurn(session, name, () => session.ExecuteAsync("select pg_advisory_unlock(@LockClass, hashtext(@name))", new { LockClass, name }));
        await session.ExecuteAsync("insert into jobs (name, began_at) values (@name, now()) on conflict (name) do update set began_at = now()", new { name });
        return turn;
    }

    /// <summary>Notes what came of a turn.</summary>
    internal static Task EndAsync(JobTurn turn, bool failed, string result) => turn.Session.ExecuteAsync(
        """
        update jobs set started_at = began_at, seconds = extract(epoch from clock_timestamp() - began_at), failed = @failed, result = @result
        where name = @Name
        """,
        new { turn.Name, failed, result = StoredText.Of(result, LongestResult) });

    private static JobView View(IRecurringJob job, Row? row, DateTimeOffset now) => new()
    {
        Name = job.Name,
        Does = job.Does,
        Schedule = job.Cron,
        NextAt = CronExpression.Parse(job.Cron).GetNextOccurrence(now, TimeZoneInfo.Utc)!.Value,
        RunningSince = row is { Running: true } ? row.BeganAt : null,
        LastStartedAt = row?.StartedAt,
        LastSeconds = row?.Seconds,
        LastResult = row?.Result,
        LastFailed = row?.Failed ?? false,
    };

    private sealed record Row
    {
        public string Name { get; init; } = "";
        public DateTimeOffset BeganAt { get; init; }
        public DateTimeOffset? StartedAt { get; init; }
        public double? Seconds { get; init; }
        public bool Failed { get; init; }
        public string? Result { get; init; }
        public bool Running { get; init; }
    }
}

/// <summary>A job at work on this coordinator alone, until it is disposed of.</summary>
/// <param name="Session">Holds the lock.</param>
/// <param name="Name">The job.</param>
/// <param name="Unlock">Lets go of the lock, which would otherwise stay with the pooled connection.</param>
internal sealed record JobTurn(DbSession Session, string Name, Func<Task> Unlock) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        try
        {
            await Unlock();
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            // Without its connection the lock is gone; a cancelled session is reset before it is used again.
        }

        await Session.DisposeAsync();
    }
}
