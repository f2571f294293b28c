using System.Globalization;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Runs.Requests;
using Hearth.Coordinator.Sweeps.Rules;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Sweeps;

/// <summary>
/// Brings the runs of trials to where their trials are to be: submits, sends on to the next rung, cancels. Each is done once however often it is begun: a trial's run has
/// its key, and the others are moves of a run that is not there yet.
/// </summary>
public sealed class TrialRuns(NpgsqlDataSource database, RunSubmission submission, RunStore runs, RunChanges changes)
{
    /// <returns>Whether a trial is out since its run was refused.</returns>
    public async Task<bool> SettleAsync(Guid sweep, CancellationToken stop)
    {
        bool refused = false;
        var (row, left) = await LeftAsync(sweep, stop);
        if (row is null || left.Count == 0 || SweepPlans.Read(row.Submitted()).Plan is not { } plan)
        {
            return false;
        }

        foreach (var trial in left)
        {
            long rung = plan.Rungs[trial.Rung];
            long? pauseAt = trial.Rung == plan.Rungs.Count - 1 ? null : rung;
            switch (trial.Status)
            {
                case TrialStatus.Training when trial.RunId is null:
                    refused |= !await SubmitAsync(row, plan, trial, pauseAt, stop);
                    break;
                case TrialStatus.Training:
                    await SendOnAsync(trial, rung, pauseAt, stop);
                    break;
                case TrialStatus.Stopped when trial.RunId is not null:
                    await CancelAsync(trial, stop);
                    break;
                case TrialStatus.Stopped:
                    // Its run may have been submitted by a coordinator that could not note it any more.
                    await CancelByKeyAsync(row, trial, stop);
                    break;
            }

            await NoteAsync(trial, stop);
        }

        return refused;
    }

    private async Task<(SweepRow? Sweep, IReadOnlyList<TrialRow> Left)> LeftAsync(Guid sweep, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return (
            await session.FindAsync<SweepRow>($"{SweepRow.Select} where s.id = @sweep", new { sweep }),
            await session.QueryAsync<TrialRow>($"{TrialRow.Select} where t.sweep_id = @sweep and not t.settled order by t.number", new { sweep }));
    }

    private async Task<bool> SubmitAsync(SweepRow sweep, SweepPlan plan, TrialRow trial, long? pauseAt, CancellationToken stop)
    {
        var body = SpecOf(sweep.Submitted(), plan, plan.Space.Read(trial.Setting), trial.Number);
        if (await runs.FindByKeyAsync(sweep.CreatedBy, KeyOf(trial), body, stop) is { Run: { } before })
        {
            await LinkAsync(trial, before.Id, stop);
            return true;
        }

        var check = await submission.CheckAsync(body, stop);
        if (check.Spec is not { } spec || check.Plan is not { } model)
        {
            await RefuseAsync(trial, string.Join(' ', check.Errors.Select(e => e.Message)), stop);
            return false;
        }

        if ((await runs.AddAsync(spec, model.Parameters, check.StartCheckpoint, sweep.CreatedBy, KeyOf(trial), body, stop, new TrialOf(sweep.Id, pauseAt))).Run is { } run)
        {
            await LinkAsync(trial, run.Id, stop);
            return true;
        }

        await RefuseAsync(trial, $"Its run's key {KeyOf(trial)} is another run's.", stop);
        return false;
    }

    /// <summary>The run spec of a trial.</summary>
    internal static JsonElement SpecOf(SubmitSweep request, SweepPlan plan, Setting setting, int trial)
    {
        var spec = plan.Space.Apply(request.Spec, setting);
        spec["name"] = $"{request.Name}-t{trial.ToString(CultureInfo.InvariantCulture)}";
        return JsonSerializer.SerializeToElement(spec);
    }

    // A run that has waited at an earlier rung; one that somebody paused on its way stays paused.
    private async Task SendOnAsync(TrialRow trial, long rung, long? pauseAt, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(trial.RunId, null), stop);
        if (change is null || change.Run.PauseAtStep == pauseAt || change.Run.State.IsTerminal())
        {
            return;
        }

        await change.PauseAtAsync(pauseAt);
        if (change.Run.State == RunState.Paused)
        {
            await change.MoveAsync(RunState.Queued);
            await change.NoteAsync("resumed", $"Its sweep sends it on to step {Words.Number(rung)}.");
        }

        await change.CommitAsync();
    }

    private async Task CancelByKeyAsync(SweepRow sweep, TrialRow trial, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var run = await session.FindAsync<Guid?>("select id from runs where created_by = @CreatedBy and idempotency_key = @key and sweep_id = @Id", new { sweep.CreatedBy, key = KeyOf(trial), sweep.Id });
        if (run is { } id)
        {
            await CancelAsync(trial with { RunId = id }, stop);
        }
    }

    private async Task CancelAsync(TrialRow trial, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(trial.RunId, null), stop);
        if (change is null || change.Run.State.IsTerminal())
        {
            return;
        }

        string reason = await SentenceAsync(trial, stop);
        await change.MoveAsync(RunState.Cancelled, reason);
        await change.NoteAsync("cancelled", reason);
        await change.StopAsync(AttemptCommandKind.Kill);
        await change.CommitAsync();
    }

    private async Task<string> SentenceAsync(TrialRow trial, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.SingleAsync<string>(
            "select coalesce((select sentence from sweep_decisions where sweep_id = @SweepId and trial = @Number order by id desc limit 1), 'Its sweep is over.')",
            new { trial.SweepId, trial.Number });
    }

    private async Task LinkAsync(TrialRow trial, Guid run, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync("update sweep_trials set run_id = @run where sweep_id = @SweepId and number = @Number", new { run, trial.SweepId, trial.Number });
    }

    private async Task RefuseAsync(TrialRow trial, string why, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            """
            with out as (update sweep_trials set status = 'failed' where sweep_id = @SweepId and number = @Number and status = 'training' returning number)
            insert into sweep_decisions (sweep_id, trial, sentence) select @SweepId, number, @sentence from out
            """,
            new { trial.SweepId, trial.Number, sentence = $"Trial {trial.Number} is out, its run was refused: {why}" });
    }

    // Unless something else was decided of it meanwhile.
    private async Task NoteAsync(TrialRow trial, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            "update sweep_trials set settled = true where sweep_id = @SweepId and number = @Number and rung = @Rung and status in (@status, 'failed')",
            new { trial.SweepId, trial.Number, trial.Rung, status = trial.Status.ToString().ToLowerInvariant() });
    }

    private static string KeyOf(TrialRow trial) => $"sweep:{trial.SweepId}:{trial.Number.ToString(CultureInfo.InvariantCulture)}";
}
