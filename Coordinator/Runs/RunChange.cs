using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Runs;

/// <summary>A run whose row is locked.</summary>
public sealed record LockedRun(Guid Id, long Number, string Name, RunState State, long Version, int Losses, int Errors, int MaxRestarts, int BatchRows, bool Recomputes, long Step, long? PauseAtStep, Guid? SweepId);

/// <summary>The attempt of a locked run that is not over.</summary>
public sealed record LockedAttempt(Guid Id, long Epoch, Guid WorkerId, string Device, int MicroBatch, long FirstStep, long LastStep, Guid? CheckpointId, bool StopRequested, bool Known, long? ForecastBytes);

/// <summary>Begins changes of runs.</summary>
public sealed class RunChanges(NpgsqlDataSource database, Wakes wakes)
{
    /// <summary>Locks a run; null when there is none.</summary>
    /// <param name="run">Which.</param>
    /// <param name="stop">Ends the change, here and later, and undoes it.</param>
    /// <param name="term">What the scheduler decides is decided in its term; null for what others ask.</param>
    /// <exception cref="TermOverException">The term is over.</exception>
    public Task<RunChange?> BeginAsync(RunRef run, CancellationToken stop, SchedulerTerm? term = null) =>
        RunChange.BeginAsync(database, run, new RunChange.Origin(wakes, term), stop);
}

/// <summary>
/// The run and its attempts as one aggregate: one change of it, in one transaction that holds the run's row. The only place where their
/// states are written. Nothing is told to streams, workers or the scheduler before it is committed; disposing without a commit undoes it.
/// </summary>
public sealed class RunChange : IAsyncDisposable
{
    private const string NewestGood = "select id, step from checkpoints where run_id = @Id and status = 'kept' order by step desc, created_at desc limit 1";

    // The end of a standard error may come as one; what nobody would read is not stored.
    private const int LongestMessage = 4_000;

    private readonly DbSession _session;
    private readonly Origin _origin;
    private readonly HashSet<Guid> _told = [];
    private bool _noted;

    private RunChange(DbSession session, LockedRun run, LockedAttempt? attempt, Origin origin) => (_session, Run, Attempt, _origin) = (session, run, attempt, origin);

    public LockedRun Run { get; private set; }

    public LockedAttempt? Attempt { get; private set; }

    internal static async Task<RunChange?> BeginAsync(NpgsqlDataSource database, RunRef run, Origin origin, CancellationToken stop)
    {
        var session = await DbSession.BeginAsync(database, stop);
        try
        {
            long? held = null;
            var (row, attempt) = await session.BatchAsync(
                $"""
                {(origin.Term is null ? "" : SchedulerTerm.Hold)}
                select id, number, name, state, version, losses, errors, (spec -> 'run' ->> 'max_restarts')::int as max_restarts,
                    (spec -> 'train' ->> 'batch_tokens')::int / (spec -> 'data' ->> 'seq_len')::int as batch_rows,
                    recompute or spec -> 'train' ->> 'recompute' = 'block' as recomputes, step, pause_at_step, sweep_id
                from runs r where {RunRef.Is} for update;
                select a.id, a.epoch, a.worker_id, w.name || '/' || a.device_index as device, a.micro_batch, a.first_step, a.last_step, a.checkpoint_id,
                    a.stop_requested, a.first_heartbeat_at is not null as known, a.forecast_bytes
                from runs r join attempts a on a.run_id = r.id join workers w on w.id = a.worker_id where {RunRef.Is} and a.ended_at is null
                """,
                new { id = run.Id, number = run.Number, term = origin.Term?.Number },
                async rows =>
                {
                    held = origin.Term is null ? null : await rows.ReadSingleOrDefaultAsync<long?>();
                    return (await rows.ReadSingleOrDefaultAsync<LockedRun>(), await rows.ReadSingleOrDefaultAsync<LockedAttempt>());
                });
            origin.Term?.Check(held);
            if (row is not null)
            {
                return new RunChange(session, row, attempt, origin);
            }
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }

        await session.DisposeAsync();
        return null;
    }

    /// <summary>Moves the run; <paramref name="reason"/> is shown until the next move.</summary>
    /// <exception cref="InvalidOperationException">The table of legal moves forbids it: a mistake of the caller.</exception>
    public async Task MoveAsync(RunState to, string? reason = null)
    {
        if (!RunStates.CanMove(Run.State, to))
        {
            throw new InvalidOperationException($"r-{Run.Number} cannot move from {Run.State} to {to}");
        }

        await _session.ExecuteAsync(
            """
            update runs set state = @state, version = version + 1, reason = @reason,
                started_at = case when @state = 'starting' then coalesce(started_at, now()) else started_at end,
                queued_at = case when @state = 'queued' and state = 'paused' then now() else queued_at end,
                ended_at = case when @ended then now() end
            where id = @Id
            """,
            new { Run.Id, state = Name(to), reason, ended = to.IsTerminal() });
        Run = Run with { State = to, Version = Run.Version + 1 };
    }

    /// <summary>
    /// A new attempt on a device, under a new epoch. What it begins with is chosen here, once, and stored with it: the newest checkpoint
    /// that is good. False when the device is taken or takes no runs any more.
    /// </summary>
    public async Task<bool> PlaceAsync(Place place, TimeSpan lease)
    {
        await MoveAsync(RunState.Starting);
        int placed = await _session.ExecuteAsync(
            $"""
            with resume as ({NewestGood}),
            run as (update runs set epoch = epoch + 1, step = coalesce((select step from resume), 0), tokens_per_second = null where id = @Id returning epoch)
            insert into attempts (id, run_id, number, epoch, worker_id, device_index, micro_batch, forecast_bytes, state, checkpoint_id, first_step, last_step, lease_ends_at, term)
            select @attempt, @Id, (select coalesce(max(number), 0) + 1 from attempts where run_id = @Id), run.epoch, w.id, @DeviceIndex, @MicroBatch, @ForecastBytes, 'assigned', (select id from resume),
                coalesce((select step from resume), 0), coalesce((select step from resume), 0), now() + make_interval(secs => @seconds), @term
            from run, workers w where w.id = @WorkerId and not w.removed and not w.draining
            on conflict do nothing
            """,
            new { Run.Id, attempt = Guid.CreateVersion7(), place.WorkerId, place.DeviceIndex, place.MicroBatch, place.ForecastBytes, seconds = lease.TotalSeconds, term = _origin.Term?.Number });
        _told.Add(place.WorkerId);
        return placed == 1;
    }

    /// <summary>The attempt trains. False when it is over, or the run is not starting (any more).</summary>
    public async Task<bool> StartAsync(Lease lease)
    {
        if (Run.State != RunState.Starting || Attempt is not { } attempt || attempt.Id != lease.AttemptId || attempt.Epoch != lease.Epoch)
        {
            return false;
        }

        await MoveAsync(RunState.Running);
        string text = attempt.CheckpointId is null ? $"Trains on {attempt.Device}." : $"Goes on at step {Words.Number(attempt.FirstStep)} on {attempt.Device}.";
        await NoteAsync("started", text, attempt.FirstStep);
        return true;
    }

    /// <summary>Tells the live attempt, if there is one, to go; one that its worker has not taken up yet is over at once.</summary>
    public async Task StopAsync(AttemptCommandKind kind)
    {
        if (Attempt is { Known: true })
        {
            await CommandAsync(kind);
        }
        else if (Attempt is { } attempt)
        {
            await EndAsync(new AttemptEnd(new Lease(attempt.Id, attempt.Epoch), AttemptState.Stopped, attempt.FirstStep, null, null, null));
        }
    }

    /// <summary>Tells the live attempt's worker something; stop and kill are told once and repeated by the mailbox.</summary>
    public async Task CommandAsync(AttemptCommandKind kind, string? prompt = null, int? maxTokens = null, double? temperature = null)
    {
        var attempt = Attempt ?? throw new InvalidOperationException($"r-{Run.Number} has no live attempt");
        await _session.ExecuteAsync(
            """
            update attempts set stop_requested = stop_requested or @stops where id = @Id;
            insert into attempt_commands (attempt_id, kind, prompt, max_tokens, temperature) values (@Id, @kind, @prompt, @maxTokens, @temperature)
            """,
            new { attempt.Id, stops = kind is AttemptCommandKind.Stop or AttemptCommandKind.Kill, kind = kind.ToString().ToLowerInvariant(), prompt, maxTokens, temperature });
        _told.Add(attempt.WorkerId);
    }

    /// <summary>Where attempts of the run to come end and the run waits; null = nowhere.</summary>
    public async Task PauseAtAsync(long? step)
    {
        await _session.ExecuteAsync("update runs set pause_at_step = @step where id = @Id", new { Run.Id, step });
        Run = Run with { PauseAtStep = step };
    }

    /// <summary>Ends the live attempt and moves the run as <see cref="AttemptEnds"/> says.</summary>
    /// <param name="end">What is known of the end; its lease must be the live attempt's.</param>
    /// <param name="expired">Only if the lease has run out: a heartbeat that came in between keeps the attempt.</param>
    /// <returns>False when the attempt is over, replaced, or alive after all.</returns>
    public async Task<bool> EndAsync(AttemptEnd end, bool expired = false)
    {
        if (Attempt is not { } attempt || attempt.Id != end.Lease.AttemptId || attempt.Epoch != end.Lease.Epoch)
        {
            return false;
        }

        end = end with { Message = StoredText.Of(end.Message, LongestMessage) };

        // Whoever reports an end may know less than was heard of the attempt before: an agent that came back, or nobody.
        long step = Math.Max(end.Step, Math.Max(attempt.LastStep, Run.Step));
        int ended = await _session.ExecuteAsync(
            """
            update attempts set state = @state, ended_at = now(), last_step = @step, trace = coalesce(@Trace, trace), failure_code = @FailureCode, message = @message,
                peak_bytes = @PeakMemoryBytes
            where id = @Id and epoch = @Epoch and ended_at is null and (not @expired or lease_ends_at < now())
            """,
            new { attempt.Id, attempt.Epoch, state = Name(end.Outcome), step, end.Trace, end.FailureCode, message = end.Message, end.PeakMemoryBytes, expired });
        if (ended == 0)
        {
            return false;
        }

        await _session.ExecuteAsync("delete from attempt_commands where attempt_id = @Id", new { attempt.Id });
        if (end.FailureCode == FailureCodes.CorruptCheckpoint)
        {
            // Its agent says so on the checkpoint's own route too; this holds when that message got lost.
            await CheckpointComplaints.AddAsync(_session, attempt.CheckpointId, attempt.Id, end.Message ?? "its attempt could not read it.");
        }

        if (end is { Outcome: AttemptState.Succeeded, PeakMemoryBytes: > 0 and var peak })
        {
            await MemoryPeaks.AddAsync(_session, Run, attempt, peak);
        }

        var kept = await _session.FindAsync<(Guid Id, long Step)?>(NewestGood, new { Run.Id });
        var facts = new EndedAttempt(
            Run.State, Run.Losses, Run.Errors, Run.MaxRestarts, Run.BatchRows, attempt.MicroBatch, Run.Recomputes, attempt.FirstStep, attempt.CheckpointId is not null, kept?.Step, attempt.Device, attempt.ForecastBytes, Run.PauseAtStep);
        await ApplyAsync(AttemptEnds.Decide(facts, end with { Step = step }), step, end.Trace);
        Attempt = null;
        return true;
    }

    public async Task NoteAsync(string kind, string text, long? step = null)
    {
        await _session.ExecuteAsync("insert into run_notes (run_id, kind, text, step) values (@Id, @kind, @text, @step)", new { Run.Id, kind, text, step });
        _noted = true;
    }

    /// <summary>Commits, and only then tells: the run's new summary, its notes, and the scheduler.</summary>
    public async Task CommitAsync()
    {
        var row = await _session.SingleAsync<RunRow>($"{RunRow.Select} where r.id = @Id", new { Run.Id });
        var changed = new NewEvent("run", Run.Id, row.Summary());
        await EventLog.AddAsync(_session, _noted ? [changed, new NewEvent("note", Run.Id, new { })] : [changed]);
        await _session.CommitAsync();
        _origin.Wakes.Scheduler();
        _origin.Wakes.Workers(_told);
        if (Run.SweepId is { } sweep)
        {
            _origin.Wakes.Sweep(sweep);
        }
    }

    public ValueTask DisposeAsync() => _session.DisposeAsync();

    private static string Name<T>(T state)
        where T : struct, Enum => state.ToString().ToLowerInvariant();

    private async Task ApplyAsync(EndDecision decision, long step, string? trace)
    {
        await _session.ExecuteAsync(
            """
            update runs set losses = @Losses, errors = @Errors, micro_batch_limit = coalesce(@rows, micro_batch_limit), recompute = recompute or @recompute, trace = coalesce(@trace, trace),
                step = @step, not_before = case when @seconds > 0 then now() + make_interval(secs => @seconds) end
            where id = @Id
            """,
            new { Run.Id, decision.Losses, decision.Errors, rows = decision.Smaller?.MicroBatch, recompute = decision.Smaller is { Recomputes: true }, trace, step, seconds = decision.BackOff.TotalSeconds });
        if (decision.Next != Run.State)
        {
            await MoveAsync(decision.Next, decision.Reason);
        }

        if (decision.NoteKind is not null)
        {
            await NoteAsync(decision.NoteKind, decision.Note!, step);
        }
    }

    /// <summary>In whose name a run is changed, and who is told.</summary>
    internal sealed record Origin(Wakes Wakes, SchedulerTerm? Term);
}
