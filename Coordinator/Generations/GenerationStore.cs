using System.Text.Json;
using Dapper;
using Hearth.Api;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Generations;

/// <summary>What became of a request.</summary>
public abstract record GenerationStart
{
    public sealed record Placed(GenerationView View) : GenerationStart;

    public sealed record Unknown(string Detail) : GenerationStart;

    /// <summary>It cannot be answered now.</summary>
    public sealed record Refused(string Detail) : GenerationStart;

    public sealed record TooMany(string Detail) : GenerationStart;

    public sealed record Wrong(IReadOnlyList<FieldError> Errors) : GenerationStart;
}

/// <summary>Requests to checkpoints as rows: made, looked at, stopped, and cleared away.</summary>
public sealed class GenerationStore(NpgsqlDataSource database, Wakes wakes, CoordinatorOptions options)
{
    /// <summary>Requests of one caller that may be under way: two columns of a page, each with one that waits.</summary>
    public const int MostPerCaller = 4;

    /// <summary>How long an ended request can still be read.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromHours(1);

    // Any constant will do: placements are made one after the other, so that no two count on the same place.
    private const long PlacementLock = 0x48656172746847;

    private const string SelectView =
        """
        select g.id, g.state, g.checkpoint_id, c.run_id, r.name as run_name, c.step, g.device, g.device_index is null as beside_training, g.created_by,
            g.created_at, g.ended_at, g.reason, g.statistics::text as statistics
        from generations g join checkpoints c on c.id = g.checkpoint_id join runs r on r.id = c.run_id
        """;

    /// <summary>Checks a request against its checkpoint, chooses its place and tells the worker, in one transaction.</summary>
    public async Task<GenerationStart> StartAsync(StartGeneration request, string caller, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        var checkpoint = await session.FindAsync<Asked>(
            "select c.step, c.status, r.name as run_name, r.spec::text as spec from checkpoints c join runs r on r.id = c.run_id where c.id = @CheckpointId",
            new { request.CheckpointId });
        if (checkpoint is null)
        {
            return new GenerationStart.Unknown($"No checkpoint has the id {request.CheckpointId}.");
        }

        if (checkpoint.Status != "kept")
        {
            return new GenerationStart.Refused($"The checkpoint of step {Words.Number(checkpoint.Step)} of {checkpoint.RunName} is {checkpoint.Status}. Ask one that is kept.");
        }

        var spec = JsonSerializer.Deserialize<RunSpec>(checkpoint.Spec, Json.Wire)!;
        var errors = new List<FieldError>();
        if (Families.Plan(spec.Model, errors) is not { } plan)
        {
            return new GenerationStart.Refused($"This version cannot build the model of {checkpoint.RunName}: {string.Join(' ', errors.Select(e => e.Message))}");
        }

        if (GenerationChecks.Check(request, plan) is { Count: > 0 } wrong)
        {
            return new GenerationStart.Wrong(wrong);
        }

        await session.ExecuteAsync("select pg_advisory_xact_lock(@PlacementLock)", new { PlacementLock });
        int live = await session.SingleAsync<int>(
            "select count(*) from generations where created_by = @caller and ended_at is null", new { caller });
        if (live >= MostPerCaller)
        {
            return new GenerationStart.TooMany($"{caller} has {live} requests under way. Wait for one, or stop it.");
        }

        var need = new GenerationNeed(plan.Title, MemoryForecast.ForGenerating(plan, GenerationChecks.MostPromptTokens(request), request.MaxTokens, spec.Train.Precision).Total);
        var workers = await ServingWorkers.ReadAsync(session, request.CheckpointId, options.Lease.TotalSeconds);
        var decided = GenerationPlacement.Decide(need, workers);
        if (decided is not GenerationPlace.On place)
        {
            return new GenerationStart.Refused(((GenerationPlace.Nowhere)decided).Reason);
        }

        var view = await AddAsync(session, request, new Chosen(caller, place, need.Bytes));
        await session.CommitAsync();
        wakes.Workers(place.WorkerId);
        return new GenerationStart.Placed(view);
    }

    public async Task<GenerationView?> FindAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await ViewAsync(session, id);
    }

    /// <summary>Whether the request has ended and its last event is no later than number <paramref name="after"/>; null = there is none.</summary>
    public async Task<bool?> IsReadAsync(Guid id, long after, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<bool?>(
            "select ended_at is not null and last_event <= @after from generations where id = @id", new { id, after });
    }

    /// <summary>Ends a request at once; its worker finds it over. One that has ended stays as it is. False = there is none.</summary>
    public async Task<bool> StopAsync(Guid id, string by, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        wakes.Workers(await EndAsync(session, "id = @id", new { id }, GenerationState.Stopped, new GenerationStopped($"{by} stopped it.")));
        return await session.SingleAsync<bool>("select exists (select 1 from generations where id = @id)", new { id });
    }

    /// <summary>Fails requests whose worker has fallen silent. Safe on any number of coordinators at once.</summary>
    public async Task ExpireAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var silent = new GenerationFailed(GenerationFailed.Lost, "Its worker has fallen silent.");
        wakes.Workers(await EndAsync(session, "lease_ends_at < now()", new { }, GenerationState.Failed, silent));
    }

    /// <summary>Forgets requests that ended long ago; how many.</summary>
    public async Task<int> TrimAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.ExecuteAsync(
            "delete from generations where ended_at < now() - make_interval(secs => @seconds)", new { seconds = Kept.TotalSeconds });
    }

    /// <summary>Ends live requests by the coordinator's own word: state and last event in one statement.</summary>
    /// <returns>Their workers, who are to be told.</returns>
    internal static async Task<IEnumerable<Guid>> EndAsync(DbSession session, string where, object parameters, GenerationState state, GenerationEvent last)
    {
        string reason = last switch
        {
            GenerationFailed failed => failed.Message,
            GenerationStopped stopped => stopped.Reason,
            _ => throw new ArgumentException($"{last.Name} is the worker's to say.", nameof(last)),
        };
        var all = new DynamicParameters(parameters);
        all.AddDynamicParams(new { state = Word(state), reason, events = DapperTypes.Jsonb<GenerationEvent[]>([last]), Channels.Generation });
        return await session.QueryAsync<Guid>(
            $"""
            with ended as (
                update generations set state = @state, reason = @reason, ended_at = now(), last_event = last_event + 1
                where ended_at is null and {where} returning id, last_event, worker_id),
            told as (insert into generation_events select id, last_event, last_event, @events from ended)
            select worker_id, pg_notify(@Generation, id::text) from ended
            """,
            all);
    }

    internal static string Word(GenerationState state) => JsonNamingPolicy.SnakeCaseLower.ConvertName(state.ToString());

    private async Task<GenerationView> AddAsync(
        DbSession session, StartGeneration request, Chosen chosen)
    {
        var id = Guid.CreateVersion7();
        await session.ExecuteAsync(
            """
            insert into generations (id, checkpoint_id, request, worker_id, device_index, device, bytes, created_by, lease_ends_at)
            values (@id, @CheckpointId, @body, @WorkerId, @DeviceIndex, @Device, @Bytes, @Caller, now() + make_interval(secs => @lease))
            """,
            new { id, request.CheckpointId, body = DapperTypes.Jsonb<GenerationRequest>(request), chosen.Place.WorkerId, chosen.Place.DeviceIndex, chosen.Place.Device, chosen.Bytes, chosen.Caller, lease = options.Lease.TotalSeconds });
        return (await ViewAsync(session, id))!;
    }

    private static async Task<GenerationView?> ViewAsync(DbSession session, Guid id)
    {
        var row = await session.FindAsync<Row>($"{SelectView} where g.id = @id", new { id });
        return row is null ? null : new GenerationView
        {
            Id = row.Id,
            State = row.State,
            CheckpointId = row.CheckpointId,
            RunId = row.RunId,
            RunName = row.RunName,
            Step = row.Step,
            Device = row.Device,
            BesideTraining = row.BesideTraining,
            CreatedBy = row.CreatedBy,
            CreatedAt = row.CreatedAt,
            EndedAt = row.EndedAt,
            Reason = row.Reason,
            Statistics = row.Statistics is { } text ? JsonSerializer.Deserialize<GenerationStatistics>(text, Json.Wire) : null,
        };
    }

    private sealed record Chosen(string Caller, GenerationPlace.On Place, long Bytes);

    private sealed record Asked(long Step, string Status, string RunName, string Spec);

    private sealed record Row(
        Guid Id,
        GenerationState State,
        Guid CheckpointId,
        Guid RunId,
        string RunName,
        long Step,
        string Device,
        bool BesideTraining,
        string CreatedBy,
        DateTimeOffset CreatedAt,
        DateTimeOffset? EndedAt,
        string? Reason,
        string? Statistics);
}
