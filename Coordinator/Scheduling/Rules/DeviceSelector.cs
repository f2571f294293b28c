using Hearth.Hardware;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>Rule: a run says which devices it may use: <c>any</c>, <c>gpu</c>, <c>cpu</c>, or a list of device and worker names.</summary>
internal static class DeviceSelector
{
    internal static bool Allows(string devices, PoolDevice device) => AllowsKind(devices, device.Kind) ?? Names(devices).Any(name => name == device.Name || name == device.WorkerName);

    /// <summary>The answer where the kind alone gives it; null where <paramref name="devices"/> is a list of names.</summary>
    internal static bool? AllowsKind(string devices, DeviceKind kind) => devices switch
    {
        "" or "any" => true,
        "gpu" => kind != DeviceKind.Cpu,
        "cpu" => kind == DeviceKind.Cpu,
        _ => null,
    };

    internal static IEnumerable<string> Names(string devices) => devices.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
