using System.Text.Json;
using Hearth.Hardware;

namespace Hearth.Agent;

/// <summary>A device that a file claims: <c>[{"model": "RTX 3090", "memory_bytes": 25769803776}]</c>. It trains on the CPU.</summary>
/// <param name="Model">Shown to people.</param>
/// <param name="MemoryBytes">What the scheduler may fill.</param>
/// <param name="Capability">As of a card, such as <c>8.6</c>.</param>
/// <param name="Uuid">Made from the index when left out.</param>
public sealed record SimulatedDevice(string Model, long MemoryBytes, string Capability = "", string? Uuid = null)
{
    public long? MemoryUsedBytes { get; init; }
    public double? UtilizationPercent { get; init; }
    public double? PowerWatts { get; init; }
    public double? PowerCapWatts { get; init; }
    public double? TemperatureCelsius { get; init; }
}

/// <summary>Devices out of a file, for tests and drills. Readings follow the file: it is read again each time.</summary>
public sealed class SimulatedProbe : IProbe
{
    private readonly string _path;
    private IReadOnlyList<SimulatedDevice> _last;

    private SimulatedProbe(string path, IReadOnlyList<SimulatedDevice> devices) => (_path, _last) = (path, devices);

    /// <exception cref="UsageException">No such file, or not such a list.</exception>
    public static SimulatedProbe Open(string path)
    {
        try
        {
            var devices = Load(path);
            string? wrong = devices.Count == 0 ? "the list is empty"
                : devices.FirstOrDefault(d => string.IsNullOrEmpty(d.Model) || d.MemoryBytes <= 0) is { } bad ? $"a device has model '{bad.Model}' and memory_bytes {bad.MemoryBytes}"
                : null;
            return wrong is null ? new SimulatedProbe(path, devices) : throw new UsageException($"--probe simulated:{path}: {wrong}. Allowed: at least one device with a model and memory_bytes over 0.");
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            throw new UsageException($"--probe simulated:{path} cannot be read: {e.Message}");
        }
    }

    public IReadOnlyList<DeviceInfo> Devices() =>
        [.. _last.Select((d, i) => new DeviceInfo(i, DeviceKind.Simulated, d.Model, d.Uuid ?? $"simulated-{i}", d.MemoryBytes, d.Capability))];

    public IReadOnlyList<DeviceReading> Read()
    {
        try
        {
            _last = Load(_path) is { } now && now.Count == _last.Count ? now : _last;
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            // Somebody is writing it; the readings before still stand.
        }

        return [.. _last.Select((d, i) => new DeviceReading(i, d.MemoryUsedBytes, d.UtilizationPercent, d.PowerWatts, d.PowerCapWatts, d.TemperatureCelsius))];
    }

    public void Dispose()
    {
    }

    private static IReadOnlyList<SimulatedDevice> Load(string path) =>
        JsonSerializer.Deserialize<List<SimulatedDevice>>(File.ReadAllBytes(path), Json.Wire) ?? [];
}
