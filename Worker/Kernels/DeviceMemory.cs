using System.Diagnostics;
using System.Globalization;
using Hearth.Kernels.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>Bytes that this process holds of a device.</summary>
/// <param name="Allocated">In tensors; on the CPU the working set.</param>
/// <param name="PeakAllocated">The most of that since the peak was restarted.</param>
/// <param name="Reserved">Taken from the device, unused blocks too: what a card must have. On the CPU the working set.</param>
/// <param name="PeakReserved">The most of that.</param>
public readonly record struct MemoryUse(long Allocated, long PeakAllocated, long Reserved, long PeakReserved);

/// <summary>Memory of devices: what the process holds and what is left.</summary>
public static class DeviceMemory
{
    private static readonly Lock s_gate = new();

    // Where the allocator cannot be asked: what the card had in use before, and the most seen in use since the peak was restarted.
    private static readonly Dictionary<int, (long Before, long Peak)> s_measured = [];

    /// <summary>What the process holds of a device now and held at most. Where libtorch's allocator cannot be asked, the card's own count since the first question stands for all.</summary>
    public static MemoryUse Use(Device device) =>
        device.type != DeviceType.CUDA ? OfProcess() : CudaAllocator.Use(Math.Max(0, device.index)) ?? Measured(Math.Max(0, device.index), restart: false);

    /// <summary>Lets the peaks begin again at what is held now.</summary>
    public static void RestartPeak(Device device)
    {
        if (device.type == DeviceType.CUDA)
        {
            CudaAllocator.RestartPeak(Math.Max(0, device.index));
            Measured(Math.Max(0, device.index), restart: true);
        }
        else if (OperatingSystem.IsLinux())
        {
            try
            {
                // Documented in proc(5): 5 lets the peak of the resident set begin again.
                File.WriteAllText("/proc/self/clear_refs", "5");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A sandbox without it: the peak stays that of the whole process.
            }
        }
    }

    /// <summary>Bytes of a card that nobody holds, and all of them; null on the CPU.</summary>
    public static (long Free, long Total)? Card(Device device) => device.type == DeviceType.CUDA ? CudaDriver.Memory(Math.Max(0, device.index)) : null;

    /// <summary>Gives blocks that no tensor uses back to the card, for others and for larger ones; nothing on the CPU.</summary>
    public static void GiveBack(Device device)
    {
        if (device.type == DeviceType.CUDA)
        {
            CudaAllocator.EmptyCache();
        }
    }

    private static MemoryUse Measured(int device, bool restart)
    {
        var (free, total) = CudaDriver.Memory(device);
        lock (s_gate)
        {
            long before = s_measured.TryGetValue(device, out var known) ? known.Before : total - free, now = Math.Max(0, total - free - before);
            long peak = restart ? now : Math.Max(now, known.Peak);
            s_measured[device] = (before, peak);
            return new MemoryUse(now, peak, now, peak);
        }
    }

    private static MemoryUse OfProcess()
    {
        if (OperatingSystem.IsLinux())
        {
            var fields = File.ReadLines("/proc/self/status").Where(l => l.StartsWith("VmRSS:", StringComparison.Ordinal) || l.StartsWith("VmHWM:", StringComparison.Ordinal))
                .ToDictionary(l => l[..5], l => long.Parse(l[6..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) << 10, StringComparer.Ordinal);
            return new MemoryUse(fields["VmRSS"], fields["VmHWM"], fields["VmRSS"], fields["VmHWM"]);
        }

        using var process = Process.GetCurrentProcess();
        return new MemoryUse(process.WorkingSet64, process.PeakWorkingSet64, process.WorkingSet64, process.PeakWorkingSet64);
    }
}
