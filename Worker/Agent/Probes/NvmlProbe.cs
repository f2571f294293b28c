using System.Runtime.InteropServices;
using System.Text;
using Hearth.Hardware;

namespace Hearth.Agent;

/// <summary>
/// NVIDIA cards through the driver's own library (NVML API reference). The library is looked for at run time, so the agent starts on
/// machines without it, and each value is asked for on its own: what a card does not tell is null.
/// </summary>
public sealed unsafe class NvmlProbe : IProbe
{
    private const int Success = 0;
    private const int TextLength = 96;
    private const int GpuTemperature = 0;
    private readonly nint _library;
    private readonly IReadOnlyList<nint> _cards;

    private NvmlProbe(nint library, IReadOnlyList<nint> cards) => (_library, _cards) = (library, cards);

    /// <param name="library">Path or name of the library; the driver's when left out.</param>
    /// <returns>Null where there is no driver or it does not answer.</returns>
    public static NvmlProbe? TryOpen(string? library = null)
    {
        library ??= OperatingSystem.IsWindows() ? "nvml.dll" : "libnvidia-ml.so.1";
        if (!NativeLibrary.TryLoad(library, out nint handle))
        {
            return null;
        }

        if (!NativeLibrary.TryGetExport(handle, "nvmlInit_v2", out nint init) || ((delegate* unmanaged<int>)init)() != Success)
        {
            NativeLibrary.Free(handle);
            return null;
        }

        return new NvmlProbe(handle, Cards(handle));
    }

    public IReadOnlyList<DeviceInfo> Devices() =>
        [.. _cards.Select((card, i) => new DeviceInfo(
            i,
            DeviceKind.Cuda,
            Text(card, "nvmlDeviceGetName") ?? "NVIDIA GPU",
            Text(card, "nvmlDeviceGetUUID") ?? $"cuda-{i}",
            Memory(card)?.Total ?? 0,
            Capability(card)))];

    public IReadOnlyList<DeviceReading> Read() =>
        [.. _cards.Select((card, i) => new DeviceReading(
            i,
            Memory(card)?.Used,
            Utilization(card),
            Number(card, "nvmlDeviceGetPowerUsage") / 1000.0,
            Number(card, "nvmlDeviceGetEnforcedPowerLimit") / 1000.0,
            Temperature(card)))];

    public void Dispose()
    {
        if (NativeLibrary.TryGetExport(_library, "nvmlShutdown", out nint shutdown))
        {
            _ = ((delegate* unmanaged<int>)shutdown)();
        }

        NativeLibrary.Free(_library);
    }

    private static List<nint> Cards(nint library)
    {
        var cards = new List<nint>();
        uint count = 0;
        if (NativeLibrary.TryGetExport(library, "nvmlDeviceGetCount_v2", out nint getCount)
            && NativeLibrary.TryGetExport(library, "nvmlDeviceGetHandleByIndex_v2", out nint getHandle)
            && ((delegate* unmanaged<uint*, int>)getCount)(&count) == Success)
        {
            for (uint i = 0; i < count; i++)
            {
                nint card;
                if (((delegate* unmanaged<uint, nint*, int>)getHandle)(i, &card) == Success)
                {
                    cards.Add(card);
                }
            }
        }

        return cards;
    }

    private string? Text(nint card, string function)
    {
        byte* text = stackalloc byte[TextLength];
        return NativeLibrary.TryGetExport(_library, function, out nint call)
            && ((delegate* unmanaged<nint, byte*, uint, int>)call)(card, text, TextLength) == Success
            ? Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text))
            : null;
    }

    private uint? Number(nint card, string function)
    {
        uint value;
        return NativeLibrary.TryGetExport(_library, function, out nint call) && ((delegate* unmanaged<nint, uint*, int>)call)(card, &value) == Success ? value : null;
    }

    // nvmlMemory_t: total, free, used, in bytes.
    private (long Total, long Used)? Memory(nint card)
    {
        ulong* memory = stackalloc ulong[3];
        return NativeLibrary.TryGetExport(_library, "nvmlDeviceGetMemoryInfo", out nint call) && ((delegate* unmanaged<nint, ulong*, int>)call)(card, memory) == Success
            ? ((long)memory[0], (long)memory[2])
            : null;
    }

    // nvmlUtilization_t: gpu, memory, in percent.
    private double? Utilization(nint card)
    {
        uint* rates = stackalloc uint[2];
        return NativeLibrary.TryGetExport(_library, "nvmlDeviceGetUtilizationRates", out nint call) && ((delegate* unmanaged<nint, uint*, int>)call)(card, rates) == Success
            ? rates[0]
            : null;
    }

    private double? Temperature(nint card)
    {
        uint celsius;
        return NativeLibrary.TryGetExport(_library, "nvmlDeviceGetTemperature", out nint call) && ((delegate* unmanaged<nint, int, uint*, int>)call)(card, GpuTemperature, &celsius) == Success
            ? celsius
            : null;
    }

    private string Capability(nint card)
    {
        int major, minor;
        return NativeLibrary.TryGetExport(_library, "nvmlDeviceGetCudaComputeCapability", out nint call) && ((delegate* unmanaged<nint, int*, int*, int>)call)(card, &major, &minor) == Success
            ? $"{major}.{minor}"
            : "";
    }
}
