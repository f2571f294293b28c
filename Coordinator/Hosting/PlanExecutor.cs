using Dapper;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Scheduling;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Hosting;

/// <summary>
/// Applies a plan. Each command is one transaction that first checks what it was decided on; when the world has moved on, it is
/// dropped, and the next cycle decides again.
/// </summary>
public sealed class PlanExecutor(NpgsqlDataSource database, CoordinatorOptions options, RunInputs inputs, ILogger<PlanExecutor> log)
{
    // Reasons of runs far down the queue reach a page when it is read anew.
    private const int MostReasonsTold = 100;

    public async Task ApplyAsync(Plan plan, CancellationToken stop)
    {
        foreach (var command in plan.Commands)
        {
            bool applied = command switch
            {
                Place place => await PlaceAsync(place, stop),
                Preempt preempt => await PreemptAsync(preempt, stop),
                Expire expire => await ExpireAsync(expire, stop),
                _ => throw new InvalidOperationException($"nothing applies {command}"),
            };
            if (!applied)
            {
                log.CommandDropped(command.ToString());
            }
        }

        await ExplainAsync(plan.Waiting, stop);
    }

    private async Task<bool> PlaceAsync(Place place, CancellationToken stop)
    {
        var checkpoint = await inputs.FindCheckpointAsync(place.RunId, stop);
        await using var change = await RunChange.BeginAsync(database, new RunRef(place.RunId, null), stop);
        if (change is null || change.Run.Version != place.Version || change.Run.State != RunState.Queued)
        {
            return false;
        }

        if (!await change.PlaceAsync(place.WorkerId, place.DeviceIndex, place.MicroBatch, checkpoint is null ? null : (checkpoint.Id, checkpoint.Step), options.Lease))
        {
            return false;
        }

        await change.CommitAsync();
        return true;
    }

    private async Task<bool> PreemptAsync(Preempt preempt, CancellationToken stop)
    {
        await using var change = await RunChange.BeginAsync(database, new RunRef(preempt.RunId, null), stop);
        if (change is not { Attempt: { StopRequested: false } attempt } || attempt.Id != preempt.AttemptId || attempt.Epoch != preempt.Epoch
            || !RunStates.CanMove(change.Run.State, RunState.Preempting))
        {
            return false;
        }

        await change.MoveAsync(RunState.Preempting, "Gives its device to a run of higher priority.");
        await RunActions.StopAsync(change, AttemptCommandKind.Stop);
        await change.CommitAsync();
        return true;
    }

    private async Task<bool> ExpireAsync(Expire expire, CancellationToken stop)
    {
        await using var change = await RunChange.BeginAsync(database, new RunRef(expire.RunId, null), stop);
        if (change is not { Attempt: { } attempt })
        {
            return false;
        }

        var end = new AttemptEnd(new Lease(expire.AttemptId, expire.Epoch), AttemptState.Lost, attempt.LastStep, null, null, $"{attempt.Device} went silent.");
        if (!await change.EndAsync(end, expired: true))
        {
            return false;
        }

        await change.CommitAsync();
        return true;
    }

    private async Task ExplainAsync(IReadOnlyList<Waiting> waiting, CancellationToken stop)
    {
        if (waiting.Count == 0)
        {
            return;
        }

        await using var connection = await database.OpenConnectionAsync(stop);
        await using var transaction = await connection.BeginTransactionAsync(stop);
        var changed = (await connection.QueryAsync<Guid>(new CommandDefinition(
            """
            update runs r set reason = w.reason from unnest(@ids, @reasons) as w (id, reason)
            where r.id = w.id and r.state = 'queued' and r.reason is distinct from w.reason returning r.id
            """,
            new { ids = waiting.Select(w => w.RunId).ToArray(), reasons = waiting.Select(w => w.Reason).ToArray() },
            transaction,
            cancellationToken: stop))).ToHashSet();
        var told = waiting.Where(w => changed.Contains(w.RunId)).Take(MostReasonsTold).Select(w => w.RunId).ToArray();
        var rows = await connection.QueryAsync<RunRow>(new CommandDefinition($"{RunRow.Select} where r.id = any(@told)", new { told }, transaction, cancellationToken: stop));
        foreach (var row in rows.OrderBy(r => r.Number))
        {
            await EventLog.AddAsync(connection, transaction, "run", row.Id, row.Summary(), stop);
        }

        await transaction.CommitAsync(stop);
    }
}
