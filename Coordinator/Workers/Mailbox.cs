using System.Diagnostics;
using System.Text.Json;
using Dapper;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Generations;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Workers;

/// <summary>What the coordinator has to tell a worker, and the wait until there is something.</summary>
public sealed class Mailbox(
    NpgsqlDataSource database, RunChanges changes, WorkerWaits waits, CoordinatorOptions options, RunInputs inputs, GenerationMail generations)
{
    private static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(2);

    /// <param name="worker">Whose mail.</param>
    /// <param name="request">What it reported.</param>
    /// <param name="taken">What came of the report.</param>
    /// <param name="hold">Ends the wait early, with an answer: the coordinator is stopping.</param>
    /// <param name="stop">Ends the call.</param>
    public async Task<SyncResponse> WaitAsync(Guid worker, SyncRequest request, Taken taken, CancellationToken hold, CancellationToken stop)
    {
        long started = Stopwatch.GetTimestamp();
        var most = TimeSpan.FromMilliseconds(Math.Clamp(request.WaitMilliseconds, 0, Math.Min(LongestHold.TotalMilliseconds, options.Lease.TotalMilliseconds / 4)));
        long? serial = await waits.SerialAsync(worker, stop);
        while (true)
        {
            var mail = await ReadAsync(worker, request, stop);
            var left = most - Stopwatch.GetElapsedTime(started);
            if (mail.IsNew || taken.Acknowledged.Count > 0 || taken.Revoked.Count > 0 || left <= TimeSpan.Zero || hold.IsCancellationRequested)
            {
                return await AnswerAsync(worker, mail, request, taken, stop);
            }

            try
            {
                serial = await waits.NextAsync(worker, serial, left, hold);
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                // Answered above, with what there is.
            }
        }
    }

    private async Task<Mail> ReadAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        var reported = request.Attempts.ToDictionary(a => a.Lease.AttemptId, a => a.State);
        var placed = (await connection.QueryAsync<Placed>(new CommandDefinition(
            """
            select a.id, a.epoch, a.run_id, r.name as run_name, a.number, r.spec::text as spec, r.recompute, a.device_index, a.micro_batch, a.checkpoint_id, a.first_step, a.sent_in
            from attempts a join runs r on r.id = a.run_id
            where a.worker_id = @worker and a.ended_at is null and a.first_heartbeat_at is null and not a.stop_requested
            """,
            new { worker },
            cancellationToken: stop))).ToList();
        var commands = (await connection.QueryAsync<Told>(new CommandDefinition(
            """
            select c.id, c.attempt_id, c.kind, c.prompt, c.max_tokens, c.temperature, c.sent_in
            from attempt_commands c join attempts a on a.id = c.attempt_id
            where a.worker_id = @worker and a.ended_at is null order by c.id
            """,
            new { worker },
            cancellationToken: stop))).Where(c => reported.TryGetValue(c.AttemptId, out var state) && Applies(c.Kind, state)).ToList();

        var letters = await GenerationMail.ReadAsync(connection, worker, request.Generations, stop);

        // What an earlier answer carried is repeated, but is no reason to answer early: the worker is at it.
        bool isNew = placed.Any(p => !(p.SentIn <= request.SeenSerial)) || commands.Any(c => !(c.SentIn <= request.SeenSerial))
            || letters.New.Any(l => !(l.SentIn <= request.SeenSerial)) || letters.Over.Count > 0;
        return new Mail(placed, commands, letters, isNew);
    }

    private static bool Applies(AttemptCommandKind kind, AttemptState state) => kind switch
    {
        AttemptCommandKind.Kill => true,
        AttemptCommandKind.Stop => state != AttemptState.Stopping,
        _ => state == AttemptState.Running,
    };

    private async Task<SyncResponse> AnswerAsync(Guid worker, Mail mail, SyncRequest request, Taken taken, CancellationToken stop)
    {
        var assignments = new List<Assignment>();
        foreach (var placed in mail.Placed)
        {
            if (await AssignAsync(placed, stop) is { } assignment)
            {
                assignments.Add(assignment);
            }
        }

        var asked = await generations.AssignAsync(mail.Letters.New, stop);
        await using var connection = await database.OpenConnectionAsync(stop);
        var stamp = await connection.QuerySingleAsync<Stamp>(new CommandDefinition(
            """
            with next as (select nextval('sync_serial') as serial),
            placed as (update attempts a set sent_in = next.serial from next where a.id = any(@attempts) and (a.sent_in is null or a.sent_in > @SeenSerial)),
            told as (update attempt_commands c set sent_in = next.serial from next where c.id = any(@commands) and (c.sent_in is null or c.sent_in > @SeenSerial)),
            asked as (update generations g set sent_in = next.serial from next where g.id = any(@letters) and (g.sent_in is null or g.sent_in > @SeenSerial))
            select serial, now() as now, (select draining from workers where id = @worker) as draining from next
            """,
            new
            {
                worker,
                attempts = mail.Placed.Select(p => p.Id).ToArray(),
                commands = mail.Commands.Select(c => c.Id).ToArray(),
                letters = asked.Select(a => a.Id).ToArray(),
                request.SeenSerial,
            },
            cancellationToken: stop));
        return new SyncResponse
        {
            Serial = stamp.Serial,
            ServerTime = stamp.Now,
            LeaseSeconds = options.Lease.TotalSeconds,
            Assignments = assignments,
            Commands = [.. mail.Commands.Select(c => new AttemptCommand(c.Id, c.AttemptId, c.Kind, c.Prompt, c.MaxTokens, c.Temperature))],
            Acknowledged = taken.Acknowledged,
            Revoked = taken.Revoked,
            Generations = asked,
            EndedGenerations = mail.Letters.Over,
            Draining = stamp.Draining,
        };
    }

    /// <summary>
    /// The assignment as it was decided, with fresh addresses. Null when what it reads is gone: without its dataset the run fails;
    /// without its checkpoint the attempt is over, and the next one begins with another.
    /// </summary>
    private async Task<Assignment?> AssignAsync(Placed placed, CancellationToken stop)
    {
        var given = JsonSerializer.Deserialize<RunSpec>(placed.Spec, Json.Wire)!;
        var spec = placed.Recompute ? given.Recomputing() : given;
        if (await inputs.FindDataAsync(spec, stop) is not { } data)
        {
            await EndAsync(placed, AttemptState.Failed, FailureCodes.BadInput, $"The dataset {spec.Data.Dataset} is no longer in the pool.", stop);
            return null;
        }

        var checkpoint = placed.CheckpointId is { } id ? await inputs.FindCheckpointAsync(id, stop) : null;
        if (placed.CheckpointId is not null && checkpoint is null)
        {
            await EndAsync(placed, AttemptState.Lost, null, $"Its checkpoint of step {Words.Number(placed.FirstStep)} is no longer good.", stop);
            return null;
        }

        return new Assignment
        {
            Lease = new Lease(placed.Id, placed.Epoch),
            RunId = placed.RunId,
            RunName = placed.RunName,
            Number = placed.Number,
            Spec = spec,
            DeviceIndex = placed.DeviceIndex,
            MicroBatch = placed.MicroBatch,
            Dataset = data.Dataset,
            Prepared = data.Prepared,
            CheckpointId = placed.CheckpointId,
            Checkpoint = checkpoint,
        };
    }

    private async Task EndAsync(Placed placed, AttemptState outcome, string? code, string message, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(placed.RunId, null), stop);
        if (change is not null && await change.EndAsync(new AttemptEnd(new Lease(placed.Id, placed.Epoch), outcome, placed.FirstStep, null, code, message)))
        {
            await change.CommitAsync();
        }
    }

    private sealed record Mail(IReadOnlyList<Placed> Placed, IReadOnlyList<Told> Commands, GenerationLetters Letters, bool IsNew);

    private sealed record Placed(Guid Id, long Epoch, Guid RunId, string RunName, int Number, string Spec, bool Recompute, int DeviceIndex, int MicroBatch, Guid? CheckpointId, long FirstStep, long? SentIn);

    private sealed record Told(long Id, Guid AttemptId, AttemptCommandKind Kind, string? Prompt, int? MaxTokens, double? Temperature, long? SentIn);

    private sealed record Stamp(long Serial, DateTimeOffset Now, bool Draining);
}
