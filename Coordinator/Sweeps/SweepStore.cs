using System.Security.Cryptography;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Hearth.Coordinator.Sweeps.Rules;
using Npgsql;

namespace Hearth.Coordinator.Sweeps;

/// <summary>Outcome of a submission: the sweep, whether it is new, or that its key stands for another one.</summary>
public sealed record SubmittedSweep(SweepSummary? Sweep, bool IsNew);

/// <summary>Sweeps as rows, for people.</summary>
public sealed class SweepStore(NpgsqlDataSource database)
{
    private const int MostDecisions = 1000;

    /// <summary>The sweep that this caller submitted under a key; null when there is none.</summary>
    public async Task<SubmittedSweep?> FindByKeyAsync(string caller, string key, SubmitSweep request, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var found = await session.FindAsync<Keyed>("select id, idempotency_sha256 from sweeps where created_by = @caller and idempotency_key = @key", new { caller, key });
        return found is null ? null
            : !found.IdempotencySha256.AsSpan().SequenceEqual(Hash(request)) ? new SubmittedSweep(null, false)
            : new SubmittedSweep((await FindAsync(new SweepRef(found.Id, null), stop))!.Summary, false);
    }

    /// <summary>Keeps a checked sweep; its grain begins it.</summary>
    public async Task<SubmittedSweep> AddAsync(SubmitSweep request, string caller, string? key, CancellationToken stop)
    {
        var id = Guid.CreateVersion7();
        await using (var session = await DbSession.BeginAsync(database, stop))
        {
            int added = await session.ExecuteAsync(
                """
                insert into sweeps (id, name, request, created_by, idempotency_key, idempotency_sha256) values (@id, @Name, @request, @caller, @key, @hash)
                on conflict (created_by, idempotency_key) do nothing
                """,
                new { id, request.Name, request = DapperTypes.Jsonb(request), caller, key, hash = key is null ? null : Hash(request) });
            if (added == 0)
            {
                // The same submission came twice at once; the other one won.
                return (await FindByKeyAsync(caller, key!, request, stop))!;
            }

            await TellAsync(session, id);
            await session.CommitAsync();
        }

        return new SubmittedSweep((await FindAsync(new SweepRef(id, null), stop))!.Summary, true);
    }

    /// <summary>The newest first, with a plan that cannot be read any more left out.</summary>
    public async Task<IReadOnlyList<SweepSummary>> ListAsync(int limit, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var rows = await session.QueryAsync<SweepRow>($"{SweepRow.Select} order by s.number desc limit @limit", new { limit });
        var trials = (await session.QueryAsync<TrialRow>($"{TrialRow.Select} where t.sweep_id = any(@ids) order by t.number", new { ids = rows.Select(r => r.Id).ToArray() })).ToLookup(t => t.SweepId);
        return [.. rows.Select(r => SweepPlans.Read(r.Submitted()).Plan is { } plan ? Summary(r, plan, [.. trials[r.Id]]) : null).OfType<SweepSummary>()];
    }

    /// <summary>A sweep with its trials and decisions; null when there is none.</summary>
    public async Task<SweepDetail?> FindAsync(SweepRef sweep, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        if (await session.FindAsync<SweepRow>($"{SweepRow.Select} where {SweepRef.Is}", new { id = sweep.Id, number = sweep.Number }) is not { } row
            || SweepPlans.Read(row.Submitted()).Plan is not { } plan)
        {
            return null;
        }

        var trials = await session.QueryAsync<TrialRow>($"{TrialRow.Select} where t.sweep_id = @Id order by t.number", new { row.Id });
        var decisions = await session.QueryAsync<DecisionView>("select id, at, trial, sentence from sweep_decisions where sweep_id = @Id order by id desc limit @MostDecisions", new { row.Id, MostDecisions });
        var said = (await session.QueryAsync<(int Trial, string Sentence)>(
            "select distinct on (trial) trial, sentence from sweep_decisions where sweep_id = @Id and trial is not null order by trial, id desc", new { row.Id })).ToDictionary(d => d.Trial, d => d.Sentence);
        return new SweepDetail
        {
            Summary = Summary(row, plan, trials),
            Request = row.Request,
            Rungs = plan.Rungs,
            Trials = [.. trials.Select(t => t.View(plan, said.GetValueOrDefault(t.Number)))],
            Decisions = decisions,
            Tokens = trials.Sum(t => t.TokensPerStep * plan.Rungs[t.Rung]),
            Hours = await HoursAsync(session, row.Id),
        };
    }

    /// <summary>
    /// What trials came to at one step, so that they can be held against each other: that of the last rung which enough of them reached, else the first.
    /// Null when there is no such sweep.
    /// </summary>
    public async Task<(SweepPlan Plan, long Step, IReadOnlyList<(Setting Setting, double Value)> Results)?> ResultsAsync(SweepRef sweep, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        if (await session.FindAsync<SweepRow>($"{SweepRow.Select} where {SweepRef.Is}", new { id = sweep.Id, number = sweep.Number }) is not { } row
            || SweepPlans.Read(row.Submitted()).Plan is not { } plan)
        {
            return null;
        }

        var trials = (await session.QueryAsync<TrialRow>($"{TrialRow.Select} where t.sweep_id = @Id order by t.number", new { row.Id })).Select(t => t.State(plan)).ToList();
        int rung = Enumerable.Range(0, plan.Rungs.Count).Reverse().FirstOrDefault(r => trials.Count(t => t.Results.ContainsKey(r)) >= FieldImportance.LeastTrials);
        return (plan, plan.Rungs[rung], [.. trials.Where(t => t.Results.ContainsKey(rung)).Select(t => (t.Setting, t.Results[rung]))]);
    }

    /// <summary>Runs of a sweep's trials, by the trials' numbers; null when there is no such sweep.</summary>
    public async Task<IReadOnlyList<Guid>?> RunsAsync(SweepRef sweep, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<Guid?>($"select s.id from sweeps s where {SweepRef.Is}", new { id = sweep.Id, number = sweep.Number }) is { } id
            ? await session.QueryAsync<Guid>("select run_id from sweep_trials where sweep_id = @id and run_id is not null order by number", new { id })
            : null;
    }

    /// <summary>Ends a sweep for good; what its trials' runs are to be is left to its next look. Null when there is none; false = it was over before.</summary>
    public async Task<(Guid Id, SweepStateName State, bool Changed)?> CancelAsync(SweepRef sweep, string by, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        if (await session.FindAsync<SweepRow>($"{SweepRow.Select} where {SweepRef.Is} for update", new { id = sweep.Id, number = sweep.Number }) is not { } row)
        {
            return null;
        }

        if (row.State != SweepStateName.Running)
        {
            return (row.Id, row.State, false);
        }

        await session.ExecuteAsync(
            """
            update sweeps set state = 'cancelled', ended_at = now() where id = @Id;
            with out as (update sweep_trials set status = 'stopped', settled = false where sweep_id = @Id and status in ('training', 'waiting') returning number)
                insert into sweep_decisions (sweep_id, trial, sentence) select @Id, number, format('Trial %s stops: %s', number, @why) from out order by number;
            insert into sweep_decisions (sweep_id, sentence) values (@Id, @why)
            """,
            new { row.Id, why = $"{by} cancelled the sweep." });
        await TellAsync(session, row.Id);
        await session.CommitAsync();
        return (row.Id, SweepStateName.Cancelled, true);
    }

    /// <summary>Sweeps that go on, or have something left to do.</summary>
    public async Task<IReadOnlyList<Guid>> LiveAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.QueryAsync<Guid>("select id from sweeps where state = 'running' union select sweep_id from sweep_trials where not settled");
    }

    /// <summary>Hours of devices that a sweep's attempts had.</summary>
    internal static Task<double> HoursAsync(DbSession session, Guid sweep) => session.SingleAsync<double>(
        """
        select coalesce(sum(extract(epoch from coalesce(a.ended_at, now()) - a.assigned_at)), 0)::float8 / 3600
        from attempts a join runs r on r.id = a.run_id where r.sweep_id = @sweep
        """,
        new { sweep });

    /// <summary>Tells streams that a sweep has changed. The last of its transaction.</summary>
    internal static Task TellAsync(DbSession session, Guid sweep) => EventLog.AddAsync(session, "sweep", null, new { id = sweep });

    private static SweepSummary Summary(SweepRow row, SweepPlan plan, IReadOnlyList<TrialRow> trials)
    {
        var best = SweepDecisions.Best(new SweepState(plan, [.. trials.Select(t => t.State(plan))], 0, 0, _ => 0));
        return new SweepSummary
        {
            Id = row.Id,
            Number = row.Number,
            Name = row.Name,
            State = row.State,
            CreatedBy = row.CreatedBy,
            CreatedAt = row.CreatedAt,
            EndedAt = row.EndedAt,
            Trials = plan.Trials,
            Started = trials.Count,
            Training = trials.Count(t => t.Status == TrialStatus.Training),
            Metric = plan.Metric,
            Maximise = plan.Maximise,
            BestTrial = best?.Number,
            BestValue = best?.Results[best.Results.Keys.Max()],
        };
    }

    private static byte[] Hash(SubmitSweep request) => SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(request, Json.Wire));

    private sealed record Keyed(Guid Id, byte[] IdempotencySha256);
}
