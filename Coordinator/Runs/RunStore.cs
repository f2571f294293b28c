using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Runs;

/// <summary>What a list of runs is narrowed to.</summary>
public sealed record RunFilter(IReadOnlyList<RunState> States, string? Family, string? Text);

/// <summary>Outcome of a submission: the run, whether it is new, or that its key stands for another one.</summary>
public sealed record Submitted(RunSummary? Run, bool IsNew);

/// <summary>What makes a run a trial.</summary>
/// <param name="Sweep">Of which.</param>
/// <param name="PauseAtStep">Where it waits; null = nowhere.</param>
public sealed record TrialOf(Guid Sweep, long? PauseAtStep);

/// <summary>Runs as rows. States are changed by <see cref="RunChange"/> alone.</summary>
public sealed class RunStore(NpgsqlDataSource database, Wakes wakes)
{
    /// <summary>The run that this caller submitted under a key; null when there is none.</summary>
    public async Task<Submitted?> FindByKeyAsync(string caller, string key, JsonElement body, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var found = await session.FindAsync<Keyed>(
            "select id, idempotency_sha256 from runs where created_by = @caller and idempotency_key = @key", new { caller, key });
        return found is null ? null
            : !found.IdempotencySha256.AsSpan().SequenceEqual(Hash(body)) ? new Submitted(null, false)
            : new Submitted((await RunRow.FindAsync(session, new RunRef(found.Id, null)))!.Summary(), false);
    }

    /// <summary>Queues a checked run.</summary>
    /// <param name="spec">As it was checked.</param>
    /// <param name="parameters">Of its model.</param>
    /// <param name="start">The checkpoint that it begins with; null = none.</param>
    /// <param name="caller">Whose it is.</param>
    /// <param name="key">Under which a repeat is the same run; null = none.</param>
    /// <param name="body">As it was sent.</param>
    /// <param name="stop">Ends the call.</param>
    /// <param name="trial">What makes it a sweep's; null = it is nobody's trial.</param>
    public async Task<Submitted> AddAsync(RunSpec spec, long parameters, Guid? start, string caller, string? key, JsonElement body, CancellationToken stop, TrialOf? trial = null)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        var id = Guid.CreateVersion7();
        int added = await session.ExecuteAsync(
            """
            insert into runs (id, name, state, priority, spec, parameters, idempotency_key, idempotency_sha256, created_by, start_checkpoint, sweep_id, pause_at_step)
            values (@id, @Name, 'queued', @priority, @spec, @parameters, @key, @hash, @caller, @start, @sweep, @pauseAt)
            on conflict (created_by, idempotency_key) do nothing
            """,
            new { id, spec.Name, priority = (int)spec.Run.Priority, spec = DapperTypes.Jsonb(spec), parameters, key, hash = key is null ? null : Hash(body), caller, start, sweep = trial?.Sweep, pauseAt = trial?.PauseAtStep });
        if (added == 0)
        {
            // The same submission came twice at once; the other one won.
            return (await FindByKeyAsync(caller, key!, body, stop))!;
        }

        var summary = (await RunRow.FindAsync(session, new RunRef(id, null)))!.Summary();
        await EventLog.AddAsync(session, "run", id, summary);
        await session.CommitAsync();
        wakes.Scheduler();
        return new Submitted(summary, true);
    }

    public async Task<RunSummary?> FindAsync(RunRef run, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return (await RunRow.FindAsync(session, run))?.Summary();
    }

    /// <summary>Newest first; <paramref name="before"/> is the number that the page before ended with.</summary>
    public async Task<Page<RunSummary>> ListAsync(RunFilter filter, long? before, int limit, CancellationToken stop)
    {
        const string Where =
            """
            (cardinality(@states) = 0 or r.state = any(@states)) and (@family::text is null or r.family = @family)
            and (@text::text is null or r.search like lower(@text))
            """;
        var values = new
        {
            states = filter.States.Select(s => s.ToString().ToLowerInvariant()).ToArray(),
            family = filter.Family,
            text = filter.Text is null ? null : $"%{Escape(filter.Text)}%",
            before = before ?? long.MaxValue,
            more = limit + 1,
        };
        await using var session = await DbSession.OpenAsync(database, stop);
        var rows = await session.QueryAsync<RunRow>($"{RunRow.Select} where {Where} and r.number < @before order by r.number desc limit @more", values);
        long total = before is null && rows.Count <= limit ? rows.Count : await session.SingleAsync<long>($"select count(*) from runs r where {Where}", values);
        string? next = rows.Count > limit ? rows[limit - 1].Number.ToString(System.Globalization.CultureInfo.InvariantCulture) : null;
        return new Page<RunSummary>([.. rows.Take(limit).Select(r => r.Summary())], next, total);
    }

    private static byte[] Hash(JsonElement body) => SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(body)));

    private static string Escape(string text) =>
        text.Replace(@"\", @"\\", StringComparison.Ordinal).Replace("%", @"\%", StringComparison.Ordinal).Replace("_", @"\_", StringComparison.Ordinal);

    private sealed record Keyed(Guid Id, byte[] IdempotencySha256);
}
