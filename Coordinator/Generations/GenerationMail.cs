using System.Text.Json;
using Dapper;
using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Generations;

/// <summary>Requests that a worker is to take up, and those it reports that are over.</summary>
public sealed record GenerationLetters(IReadOnlyList<GenerationLetter> New, IReadOnlyList<Guid> Over);

public sealed record GenerationLetter(Guid Id, Guid CheckpointId, int? DeviceIndex, long Bytes, string Request, long? SentIn);

/// <summary>
/// The workers' side of requests: what they report, what they are told, what they send. A request has one placement for its whole life, so its
/// worker and its being alive are the fence; both stand in the statement of every write.
/// </summary>
public sealed class GenerationMail(NpgsqlDataSource database, Wakes wakes, CoordinatorOptions options, BlobLedger blobs)
{
    /// <summary>A statement of a batch, read by <see cref="ReadAsync"/>. Parameter: <c>@worker</c>.</summary>
    internal const string Select =
        """
        select id, checkpoint_id, device_index, bytes, request::text as request, sent_in from generations
        where worker_id = @worker and ended_at is null order by created_at, id
        """;

    /// <summary>
    /// Two statements of a batch: leases of the requests that a worker reports are renewed, and whether there are any that it once reported and now does not know.
    /// Parameters: <c>@worker</c>, <c>@generations</c> and <c>@lease</c> in seconds.
    /// </summary>
    internal const string RenewLeases =
        $"""
        update generations set lease_ends_at = now() + make_interval(secs => @lease), taken_at = coalesce(taken_at, now())
        where worker_id = @worker and id = any(@generations) and ended_at is null;
        select exists (select 1 from generations where ended_at is null and {Missing})
        """;

    private const string Missing = "worker_id = @worker and taken_at is not null and not id = any(@generations)";

    /// <summary>Fails requests that the worker once reported and now does not know.</summary>
    public async Task FailMissingAsync(Guid worker, IReadOnlyList<Guid> reported, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var lost = new GenerationFailed(GenerationFailed.Lost, "Its worker came back without it.");
        wakes.Workers(await GenerationStore.EndAsync(session, Missing, new { worker, generations = reported.ToArray() }, GenerationState.Failed, lost));
    }

    /// <summary>What there is for a worker that reported these requests.</summary>
    /// <param name="rows">Of <see cref="Select"/>.</param>
    /// <param name="reported">Requests that the worker has reported.</param>
    internal static async Task<GenerationLetters> ReadAsync(SqlMapper.GridReader rows, IReadOnlyList<Guid> reported)
    {
        GenerationLetter[] live = [.. await rows.ReadAsync<GenerationLetter>()];
        return new GenerationLetters([.. live.Where(l => !reported.Contains(l.Id))], [.. reported.Except(live.Select(l => l.Id))]);
    }

    /// <summary>Letters as assignments with fresh addresses. A request whose checkpoint is gone fails here.</summary>
    public async Task<IReadOnlyList<GenerationAssignment>> AssignAsync(IReadOnlyList<GenerationLetter> letters, CancellationToken stop)
    {
        var assignments = new List<GenerationAssignment>();
        foreach (var letter in letters)
        {
            await using var session = await DbSession.OpenAsync(database, stop);
            var files = (await session.QueryAsync<FileRef>(
                "select name, sha256, bytes from checkpoint_files where checkpoint_id = @CheckpointId order by name", new { letter.CheckpointId })).ToList();
            if (files.Count == 0)
            {
                var gone = new GenerationFailed(GenerationFailed.Lost, "The checkpoint was removed meanwhile: newer ones took its place.");
                wakes.Workers(await GenerationStore.EndAsync(session, "id = @Id", new { letter.Id }, GenerationState.Failed, gone));
                continue;
            }

            string[] names = [.. files.Select(f => f.Name)];
            assignments.Add(new GenerationAssignment
            {
                Id = letter.Id,
                CheckpointId = letter.CheckpointId,
                DeviceIndex = letter.DeviceIndex,
                Bytes = letter.Bytes,
                Files = await blobs.SignAsync(files.Where(f => CheckpointFiles.IsForGenerating(f.Name, names))),
                Request = JsonSerializer.Deserialize<GenerationRequest>(letter.Request, Json.Wire)!,
            });
        }

        return assignments;
    }

    /// <summary>Takes in a batch of events, once however often it comes. False = the request is over, is another worker's, or lacks the events before.</summary>
    public async Task<bool> TakeAsync(Guid id, Guid worker, GenerationBatch batch, CancellationToken stop)
    {
        var end = batch.Events[^1] is { IsLast: true } last ? last : null;
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.SingleAsync<bool>(
            """
            with taken as (
                update generations set last_event = @last, lease_ends_at = now() + make_interval(secs => @lease), taken_at = coalesce(taken_at, now()),
                    state = case when @end is not null then @end when @tokens then 'running' else state end,
                    ended_at = case when @end is not null then now() end, reason = @reason, statistics = @statistics
                where id = @id and worker_id = @worker and ended_at is null and last_event = @First - 1 returning id),
            told as (insert into generation_events select id, @First, @last, @events from taken),
            woken as (select pg_notify(@Generation, id::text) from taken)
            select exists (select 1 from woken) or exists (
                select 1 from generation_events e join generations g on g.id = e.generation_id
                where g.id = @id and g.worker_id = @worker and e.first_id = @First and e.events = @events)
            """,
            new
            {
                id,
                worker,
                batch.First,
                last = batch.First + batch.Events.Count - 1,
                lease = options.Lease.TotalSeconds,
                end = end switch { null => null, GenerationDone => "done", GenerationFailed => "failed", _ => "stopped" },
                tokens = batch.Events.Any(e => e is GenerationToken),
                reason = end switch { GenerationFailed failed => failed.Message, GenerationStopped stopped => stopped.Reason, _ => null },
                statistics = DapperTypes.Jsonb((end as GenerationDone)?.Statistics),
                events = DapperTypes.Jsonb(batch.Events),
                Channels.Generation,
            });
    }
}
