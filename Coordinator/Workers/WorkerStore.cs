using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Workers;

/// <summary>Workers and their devices as rows.</summary>
public sealed class WorkerStore(NpgsqlDataSource database, RunChanges changes, Wakes wakes, CoordinatorOptions options)
{
    private const string SelectWorker =
        """
        select w.id, w.name, w.agent_version, w.seen_at > now() - make_interval(secs => @lease) as online, w.joined_at, w.seen_at, w.draining,
            w.devices::text as devices, w.readings::text as readings, w.note, w.noted_at
        from workers w
        """;

    /// <summary>Workers that are not removed, by name.</summary>
    public async Task<IReadOnlyList<WorkerView>> ListAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await ReadAsync(session, null);
    }

    /// <summary>Spends a join code and adds the worker; null when the code is unknown, used or expired.</summary>
    public async Task<JoinResponse?> JoinAsync(JoinRequest request, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        int spent = await session.ExecuteAsync(
            "update join_codes set used_at = now() where sha256 = @hash and used_at is null and expires_at > now()",
            new { hash = Secrets.Hash(request.Code.Trim().ToUpperInvariant()) });
        if (spent == 0)
        {
            return null;
        }

        // Names stand in messages and placements, so two workers never share one.
        await session.ExecuteAsync("lock table workers in share row exclusive mode");
        var taken = (await session.QueryAsync<string>("select name from workers where not removed"))
            .ToHashSet(StringComparer.Ordinal);
        string name = Enumerable.Range(1, taken.Count + 1).Select(i => i == 1 ? request.Name : $"{request.Name}-{i}").First(n => !taken.Contains(n));
        var id = Guid.CreateVersion7();
        string token = Secrets.NewToken();
        await session.ExecuteAsync(
            "insert into workers (id, name, token_sha256, agent_version, devices) values (@id, @name, @hash, @AgentVersion, @devices)",
            new { id, name, hash = Secrets.Hash(token), request.AgentVersion, devices = DapperTypes.Jsonb(request.Devices) });
        await TellAsync(session, [id]);
        await session.CommitAsync();
        wakes.Scheduler();
        return new JoinResponse(id, name, token);
    }

    public async Task<JoinCode> CreateCodeAsync(string caller, TimeSpan life, CancellationToken stop)
    {
        string code = Secrets.NewJoinCode();
        await using var session = await DbSession.OpenAsync(database, stop);
        var expires = await session.SingleAsync<DateTimeOffset>(
            """
            delete from join_codes where expires_at < now() - interval '1 day';
            insert into join_codes (sha256, created_by, expires_at) values (@hash, @caller, now() + make_interval(secs => @seconds)) returning expires_at
            """,
            new { hash = Secrets.Hash(code), caller, seconds = life.TotalSeconds });
        return new JoinCode(code, expires);
    }

    /// <summary>A draining worker finishes what it has and takes nothing new. False when there is no such worker.</summary>
    public async Task<bool> DrainAsync(Guid id, bool draining, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        int changed = await session.ExecuteAsync(
            "update workers set draining = @draining where id = @id and not removed", new { id, draining });
        await TellAsync(session, [id]);
        await session.CommitAsync();
        wakes.Scheduler();
        return changed == 1;
    }

    /// <summary>Takes a worker out of the pool: its token ends, and its runs go on elsewhere. False when there is no such worker.</summary>
    public async Task<bool> RemoveAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        string? name = await session.FindAsync<string>(
            "update workers set removed = true where id = @id and not removed returning name", new { id });
        if (name is null)
        {
            return false;
        }

        var attempts = await session.QueryAsync<LeasedRun>(
            "select id, run_id, epoch from attempts where worker_id = @id and ended_at is null", new { id });
        foreach (var attempt in attempts)
        {
            await using var change = await changes.BeginAsync(new RunRef(attempt.RunId, null), stop);
            if (change is not null && await change.EndAsync(new AttemptEnd(new Lease(attempt.Id, attempt.Epoch), AttemptState.Lost, 0, null, null, $"{name} was removed from the pool.")))
            {
                await change.CommitAsync();
            }
        }

        wakes.Scheduler();
        return true;
    }

    /// <summary>Tells the stream of workers that appeared or disappeared since the last look.</summary>
    /// <exception cref="TermOverException">The scheduler that looked has been replaced.</exception>
    public async Task TellPresenceAsync(SchedulerTerm term, CancellationToken stop)
    {
        // Looked for without a lock first: each pass of the scheduler asks, and hardly ever is there anything.
        const string Untold = "not removed and told_online <> (seen_at > now() - make_interval(secs => @lease))";
        var lease = new { lease = options.Lease.TotalSeconds };
        await using (var look = await DbSession.OpenAsync(database, stop))
        {
            if (!await look.SingleAsync<bool>($"select exists (select 1 from workers where {Untold})", lease))
            {
                return;
            }
        }

        await using var session = await DbSession.BeginAsync(database, stop);
        await term.HoldAsync(session);
        var changed = (await session.QueryAsync<Guid>($"update workers set told_online = not told_online where {Untold} returning id", lease)).ToList();
        await TellAsync(session, changed);
        await session.CommitAsync();
    }

    /// <summary>Adds a worker event for each; the last statements of a transaction (see <see cref="EventLog"/>).</summary>
    internal async Task TellAsync(DbSession session, IReadOnlyList<Guid> ids)
    {
        if (ids.Count > 0)
        {
            await EventLog.AddAsync(session, [.. (await ReadAsync(session, ids)).Select(worker => new NewEvent("worker", null, worker))]);
        }
    }

    private async Task<IReadOnlyList<WorkerView>> ReadAsync(DbSession session, IReadOnlyList<Guid>? ids)
    {
        var workers = (await session.QueryAsync<WorkerRow>(
            $"{SelectWorker} where not w.removed and (@ids::uuid[] is null or w.id = any(@ids)) order by w.name",
            new { lease = options.Lease.TotalSeconds, ids = ids?.ToArray() })).ToList();
        var held = (await session.QueryAsync<HeldDevice>(
            """
            select a.worker_id, a.device_index, r.id as run_id, r.name as run_name, case when r.state = 'running' then r.tokens_per_second end as tokens_per_second,
                r.step::double precision / r.total_steps as progress
            from attempts a join runs r on r.id = a.run_id where a.ended_at is null
            """)).ToDictionary(h => (h.WorkerId, h.DeviceIndex));
        return [.. workers.Select(w => w.View(held))];
    }

    private sealed record LeasedRun(Guid Id, Guid RunId, long Epoch);

    private sealed record HeldDevice(Guid WorkerId, int DeviceIndex, Guid RunId, string RunName, double? TokensPerSecond, double Progress);

    private sealed record WorkerRow(Guid Id, string Name, string AgentVersion, bool Online, DateTimeOffset JoinedAt, DateTimeOffset SeenAt, bool Draining, string Devices, string Readings, string? Note,
        DateTimeOffset? NotedAt)
    {
        internal WorkerView View(Dictionary<(Guid, int), HeldDevice> held)
        {
            var (devices, problem) = PoolDevices.Parse(Devices);
            var readings = JsonSerializer.Deserialize<DeviceReading[]>(Readings, Json.Wire)!;
            return new WorkerView
            {
                Id = Id,
                Name = Name,
                AgentVersion = AgentVersion,
                Online = Online,
                JoinedAt = JoinedAt,
                SeenAt = SeenAt,
                Draining = Draining,
                Problem = problem,
                Note = Note,
                NotedAt = NotedAt,
                Devices =
                [
                    .. devices.Select(d =>
                    {
                        var run = held.GetValueOrDefault((Id, d.Index));
                        return new DeviceView
                        {
                            Name = $"{Name}/{d.Index}",
                            Info = d,
                            Reading = readings.FirstOrDefault(r => r.Index == d.Index),
                            RunId = run?.RunId,
                            RunName = run?.RunName,
                            TokensPerSecond = run?.TokensPerSecond,
                            Progress = run?.Progress,
                        };
                    }),
                ],
            };
        }
    }
}

/// <summary>A code that one worker may join with.</summary>
public sealed record JoinCode(string Code, DateTimeOffset ExpiresAt);
