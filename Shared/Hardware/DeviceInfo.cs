namespace Hearth.Hardware;

public enum DeviceKind
{
    Cpu,
    Cuda,
    Rocm,

    /// <summary>A device of the simulated probe: trains on the CPU, claims what its file says. For tests and drills.</summary>
    Simulated,
}

/// <summary>One device of a worker, as its probe found it.</summary>
/// <param name="Index">Index on the worker; the device's full name is <c>worker/index</c>.</param>
/// <param name="Kind">What runs on it.</param>
/// <param name="Model">For people, for example <c>NVIDIA GeForce RTX 3090</c>.</param>
/// <param name="Uuid">Stable identity over restarts.</param>
/// <param name="MemoryBytes">VRAM, or the RAM that training may use on a CPU.</param>
/// <param name="Capability">CUDA compute capability such as <c>8.6</c>; empty elsewhere.</param>
public sealed record DeviceInfo(int Index, DeviceKind Kind, string Model, string Uuid, long MemoryBytes, string Capability = "");

/// <summary>What a probe reads at one moment. Unknown readings are null, never zero.</summary>
public sealed record DeviceReading(
    int Index,
    long? MemoryUsedBytes = null,
    double? UtilizationPercent = null,
    double? PowerWatts = null,
    double? PowerCapWatts = null,
    double? TemperatureCelsius = null);
