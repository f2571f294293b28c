using Hearth.Coordinator.Database;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Runs;

/// <summary>A worker's word that an attempt lives.</summary>
/// <param name="Worker">Who says so.</param>
/// <param name="Number">Of the report that it stands in; a greater one is newer.</param>
/// <param name="Report">How the attempt stands.</param>
internal sealed record LeaseRenewal(Guid Worker, long Number, AttemptReport Report);

/// <summary>A lease that was renewed, and what changed with it.</summary>
internal sealed record RenewedLease(Guid AttemptId, long Epoch, Guid WorkerId, Guid RunId, bool Moved, bool Stepped, bool Starting);

/// <summary>
/// Renews leases and records where attempts stand: those of many workers in one statement, each row under the fence of its own epoch and worker.
/// A row that somebody holds is left to a statement of its own, so that nobody waits for another's run.
/// </summary>
internal sealed class LeaseRenewals
{
    private const int LongestWhat = 200;
    private readonly NpgsqlDataSource _database;
    private readonly TimeSpan _lease;
    private readonly GroupedWrites<LeaseRenewal, RenewedLease> _together;

    public LeaseRenewals(NpgsqlDataSource database, TimeSpan lease) =>
        (_database, _lease, _together) = (database, lease, new GroupedWrites<LeaseRenewal, RenewedLease>(RenewAsync));

    /// <returns>Null = the epoch is over.</returns>
    public async Task<RenewedLease?> RenewAsync(LeaseRenewal renewal, CancellationToken stop)
    {
        if (await _together.AddAsync(renewal, stop) is { } renewed)
        {
            return renewed;
        }

        await using var session = await DbSession.OpenAsync(_database, stop);
        return (await WriteAsync(session, [renewal], wait: true)).SingleOrDefault();
    }

    /// <summary>What of a batch is written: of several reports of one attempt under one epoch by one worker, the newest; of equally new ones, that which came last. Pure.</summary>
    internal static IReadOnlyList<LeaseRenewal> Combine(IReadOnlyList<LeaseRenewal> batch) =>
        [.. batch.GroupBy(Key).Select(same => same.Aggregate((newest, next) => next.Number >= newest.Number ? next : newest))];

    /// <summary>Renews a batch; in its order, null where the fence let nothing through or the row is held.</summary>
    internal async Task<IReadOnlyList<RenewedLease?>> RenewAsync(IReadOnlyList<LeaseRenewal> batch, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(_database, stop);
        var renewed = (await WriteAsync(session, Combine(batch), wait: false)).ToDictionary(r => (r.WorkerId, r.AttemptId, r.Epoch));
        return [.. batch.Select(r => renewed.GetValueOrDefault(Key(r)))];
    }

    private static (Guid Worker, Guid Attempt, long Epoch) Key(LeaseRenewal renewal) => (renewal.Worker, renewal.Report.Lease.AttemptId, renewal.Report.Lease.Epoch);

    private Task<IReadOnlyList<RenewedLease>> WriteAsync(DbSession session, IReadOnlyList<LeaseRenewal> renewals, bool wait) => session.QueryAsync<RenewedLease>(
        $"""
        with old as (
            select a.id, a.state, a.starting_what, a.last_step, s.said, least(s.step, r.total_steps) as step, s.what, s.fraction
            from unnest(@attempts, @epochs, @workers, @states, @steps, @whats, @fractions) as s (attempt, epoch, worker, said, step, what, fraction)
            join attempts a on a.id = s.attempt and a.epoch = s.epoch and a.worker_id = s.worker
            join runs r on r.id = a.run_id
            where a.ended_at is null order by a.id for no key update of a {(wait ? "" : "skip locked")})
        update attempts a set lease_ends_at = now() + make_interval(secs => @lease), first_heartbeat_at = coalesce(a.first_heartbeat_at, now()),
            state = case when old.said = 'assigned' then 'starting' else old.said end, last_step = greatest(a.last_step, old.step),
            first_step_at = case when old.step > a.first_step then coalesce(a.first_step_at, now()) else a.first_step_at end,
            starting_what = case when old.said = 'running' then null else coalesce(old.what, a.starting_what) end,
            starting_fraction = case when old.said = 'running' then null else coalesce(old.fraction, a.starting_fraction) end
        from old where a.id = old.id and a.ended_at is null
        returning a.id as attempt_id, a.epoch, a.worker_id, a.run_id, old.state <> a.state as moved, old.last_step <> a.last_step as stepped,
            coalesce(old.starting_what, '') <> coalesce(a.starting_what, '') or a.starting_fraction is not null as starting
        """,
        new
        {
            attempts = renewals.Select(r => r.Report.Lease.AttemptId).ToArray(),
            epochs = renewals.Select(r => r.Report.Lease.Epoch).ToArray(),
            workers = renewals.Select(r => r.Worker).ToArray(),
            states = renewals.Select(r => r.Report.State.ToString().ToLowerInvariant()).ToArray(),
            steps = renewals.Select(r => r.Report.Step).ToArray(),
            whats = renewals.Select(r => StoredText.Of(r.Report.What, LongestWhat)).ToArray(),
            fractions = renewals.Select(r => r.Report.Fraction).ToArray(),
            lease = _lease.TotalSeconds,
        });
}
