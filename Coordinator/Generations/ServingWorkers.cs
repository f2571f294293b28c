using Hearth.Coordinator.Database;
using Hearth.Coordinator.Runs;

namespace Hearth.Coordinator.Generations;

/// <summary>Reads what a placement is decided on.</summary>
internal static class ServingWorkers
{
    /// <summary>How long after its last request a model is taken to be loaded still. Agents let it go a little later.</summary>
    private static readonly TimeSpan WarmFor = TimeSpan.FromMinutes(8);

    internal static async Task<IReadOnlyList<ServingWorker>> ReadAsync(DbSession session, Guid checkpoint, double lease)
    {
        var workers = (await session.QueryAsync<WorkerRow>(
            """
            select w.id, w.name, w.devices::text as devices, w.host_free_bytes, not w.draining and w.seen_at > now() - make_interval(secs => @lease) as available,
                exists (select 1 from generations g where g.worker_id = w.id and g.checkpoint_id = @checkpoint and g.taken_at is not null)
                    or exists (select 1 from checkpoints c join attempts a on a.id = c.attempt_id where c.id = @checkpoint and a.worker_id = w.id) as cached
            from workers w where not w.removed
            """,
            new { checkpoint, lease })).ToList();
        var training = (await session.QueryAsync<(Guid, int)>(
            "select worker_id, device_index from attempts where ended_at is null")).ToHashSet();

        // -1 stands for the host's processor.
        var asked = (await session.QueryAsync<PlaceRow>(
            """
            select worker_id, coalesce(device_index, -1) as place, count(*) filter (where ended_at is null)::int as live,
                (select coalesce(sum(o.most), 0)::bigint from (
                    select max(b.bytes) as most from generations b
                    where b.ended_at is null and b.worker_id = g.worker_id and coalesce(b.device_index, -1) = coalesce(g.device_index, -1) and b.checkpoint_id <> @checkpoint
                    group by b.checkpoint_id) o) as used_bytes,
                bool_or(checkpoint_id = @checkpoint and coalesce(ended_at, now()) > now() - make_interval(secs => @warm) and state in ('running', 'done', 'stopped')) as warm
            from generations g group by worker_id, device_index
            """,
            new { checkpoint, warm = WarmFor.TotalSeconds })).ToDictionary(p => (p.WorkerId, p.Place));
        PlaceRow At(Guid worker, int place) => asked.GetValueOrDefault((worker, place)) ?? new PlaceRow(worker, place, 0, 0, false);

        return
        [
            .. workers.Select(w =>
            {
                var host = At(w.Id, -1);
                var devices = PoolDevices.Parse(w.Devices).Devices.Select(d =>
                {
                    var place = At(w.Id, d.Index);
                    return new ServingDevice(d.Index, d.Kind, d.MemoryBytes, training.Contains((w.Id, d.Index)), place.Live, place.UsedBytes, place.Warm);
                });
                return new ServingWorker(w.Id, w.Name, w.Available, w.Cached, w.HostFreeBytes, host.Live, host.Warm, [.. devices]);
            }),
        ];
    }

    private sealed record WorkerRow(Guid Id, string Name, string Devices, long? HostFreeBytes, bool Available, bool Cached);

    private sealed record PlaceRow(Guid WorkerId, int Place, int Live, long UsedBytes, bool Warm);
}
