using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Metrics;
using Hearth.Coordinator.Sweeps.Rules;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Sweeps;

/// <summary>
/// One look of a sweep: read what its trials' runs have come to, decide, write down what each trial is to be; one transaction, under the sweep's row. Then, trial by
/// trial, its run is brought there (<see cref="TrialRuns"/>). A coordinator that ends between the two leaves the second to the next look, whoever takes it.
/// </summary>
public sealed class SweepCycle(NpgsqlDataSource database, TrialRuns runs, MetricReader metrics)
{
    private const int MostTurns = 4 * SweepPlans.MostTrials;

    public async Task RunAsync(Guid sweep, CancellationToken stop)
    {
        await DecideAsync(sweep, stop);
        if (await runs.SettleAsync(sweep, stop))
        {
            // A run that was refused frees its place.
            await DecideAsync(sweep, stop);
            await runs.SettleAsync(sweep, stop);
        }
    }

    private async Task DecideAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        if (await session.FindAsync<SweepRow>($"{SweepRow.Select} where s.id = @id and s.state = 'running' for update", new { id }) is not { } row
            || SweepPlans.Read(row.Submitted()).Plan is not { } plan)
        {
            return;
        }

        var rows = await session.QueryAsync<TrialRow>($"{TrialRow.Select} where t.sweep_id = @id order by t.number", new { id });
        var book = new SweepBook(plan, rows);
        foreach (var trial in rows.Where(t => t.Status == TrialStatus.Training && t.RunId is not null))
        {
            await ObserveAsync(session, book, trial);
        }

        double hours = await SweepStore.HoursAsync(session, id), kwh = plan.Budget.Kwh is null ? 0 : await KwhAsync(session, id, stop);
        var tokens = SweepPlans.TokensPerStep(row.Submitted(), plan);
        for (int turn = 0; turn < MostTurns && !book.IsFinished; turn++)
        {
            var decisions = SweepDecisions.Decide(new SweepState(plan, book.Trials, hours, kwh, tokens));
            if (decisions.Count == 0)
            {
                break;
            }

            book.Apply(decisions, tokens);
        }

        if (book.HasChanged)
        {
            await WriteAsync(session, id, book);
            await SweepStore.TellAsync(session, id);
            await session.CommitAsync();
        }
    }

    // What a run's agent measured comes before the run's end, so nothing is missing then that will come.
    private static async Task ObserveAsync(DbSession session, SweepBook book, TrialRow trial)
    {
        long rung = book.Plan.Rungs[trial.Rung];
        if (trial.RunState is RunState.Succeeded || (trial.RunState is RunState.Paused && trial.RunStep >= rung))
        {
            var points = await MetricReader.PointsAsync(session, trial.RunId!.Value, book.Plan.Metric);
            double? value = points.Where(p => p.Step <= rung).Select(p => (double?)p.Value).LastOrDefault();
            book.Reach(trial, value);
        }
        else if (trial.RunState is RunState.Failed or RunState.Cancelled)
        {
            book.Fail(trial.Number, $"Trial {trial.Number} is out: r-{trial.RunNumber} {(trial.RunState == RunState.Failed ? $"failed: {trial.RunReason}" : "was cancelled.")}");
        }
    }

    // Mean power of each run over the time of its attempts: as good as the probes' readings.
    private async Task<double> KwhAsync(DbSession session, Guid sweep, CancellationToken stop)
    {
        double kwh = 0;
        foreach (var (run, hours) in await session.QueryAsync<(Guid Run, double Hours)>(
            """
            select r.id, sum(extract(epoch from coalesce(a.ended_at, now()) - a.assigned_at))::float8 / 3600
            from attempts a join runs r on r.id = a.run_id where r.sweep_id = @sweep group by r.id
            """,
            new { sweep }))
        {
            var read = await metrics.ReadAsync(run, ["power_watts"], 0, long.MaxValue, 64, stop);
            kwh += read.Series.SelectMany(s => s.Mean).Select(w => (double)w).DefaultIfEmpty(0).Average() * hours / 1000;
        }

        return kwh;
    }

    private static async Task WriteAsync(DbSession session, Guid id, SweepBook book)
    {
        foreach (var trial in book.Changed)
        {
            await session.ExecuteAsync(
                """
                insert into sweep_trials (sweep_id, number, setting, bracket, rung, status, tokens_per_step, results)
                values (@id, @Number, @setting, @Bracket, @Rung, @status, @TokensPerStep, @results)
                on conflict (sweep_id, number) do update set rung = excluded.rung, status = excluded.status, results = excluded.results, settled = false
                """,
                new
                {
                    id,
                    trial.Number,
                    setting = DapperTypes.Jsonb(book.Plan.Space.Write(trial.Setting)),
                    trial.Bracket,
                    trial.Rung,
                    status = trial.Status.ToString().ToLowerInvariant(),
                    trial.TokensPerStep,
                    results = DapperTypes.Jsonb(trial.Results),
                });
        }

        await session.ExecuteAsync(
            """
            insert into sweep_decisions (sweep_id, trial, sentence) select @id, (d ->> 'trial')::int, d ->> 'sentence' from jsonb_array_elements(@said) with ordinality as n (d, place) order by place;
            update sweeps set state = case when @over then 'done' else state end, ended_at = case when @over then now() end, best_trial = @best where id = @id
            """,
            new { id, said = DapperTypes.Jsonb(book.Said), over = book.IsFinished, best = book.Best });
    }
}
