using System.Collections.Concurrent;
using System.Text.Json;
using Dapper;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Hardware;
using Npgsql;

namespace Hearth.Coordinator.Runs;

/// <summary>
/// The devices that runs may be placed on: every one of every worker that is not removed. A list that contradicts itself, which a
/// worker of an older version may have left, is set aside and said once; the other workers go on.
/// </summary>
public sealed class PoolDevices(NpgsqlDataSource database, CoordinatorOptions options, ILogger<PoolDevices> log)
{
    private readonly ConcurrentDictionary<Guid, string> _setAside = new();

    /// <summary>A statement of a batch, read by <see cref="ReadAsync(SqlMapper.GridReader)"/>. Parameter: <c>@lease</c> in seconds.</summary>
    internal const string Select =
        """
        select id, name, devices::text as devices, seen_at > now() - make_interval(secs => @lease) as online, draining
        from workers where not removed order by name
        """;

    public async Task<IReadOnlyList<PoolDevice>> ReadAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.BatchAsync(Select, new { lease = options.Lease.TotalSeconds }, ReadAsync);
    }

    /// <param name="rows">Of <see cref="Select"/>.</param>
    internal async Task<IReadOnlyList<PoolDevice>> ReadAsync(SqlMapper.GridReader rows) => [.. (await rows.ReadAsync<Row>()).SelectMany(Of)];

    /// <summary>The devices of a worker's stored list; none where it contradicts itself, and then what is wrong with it.</summary>
    internal static (IReadOnlyList<DeviceInfo> Devices, string? Problem) Parse(string json)
    {
        try
        {
            var devices = JsonSerializer.Deserialize<DeviceInfo[]>(json, Json.Wire);
            return DeviceListRules.Check(devices) is [var first, ..] ? ([], first.Message) : (devices!, null);
        }
        catch (JsonException e)
        {
            return ([], $"devices cannot be read: {e.Message}");
        }
    }

    private IEnumerable<PoolDevice> Of(Row worker)
    {
        var (devices, problem) = Parse(worker.Devices);
        if (problem is null)
        {
            _setAside.TryRemove(worker.Id, out _);
        }
        else if (!_setAside.TryGetValue(worker.Id, out string? said) || said != problem)
        {
            _setAside[worker.Id] = problem;
            log.DevicesSetAside(worker.Name, problem);
        }

        return devices.Select(d => new PoolDevice(worker.Id, worker.Name, d.Index, d.Kind, d.Model, d.MemoryBytes, worker.Online, worker.Draining));
    }

    private sealed record Row(Guid Id, string Name, string Devices, bool Online, bool Draining);
}
