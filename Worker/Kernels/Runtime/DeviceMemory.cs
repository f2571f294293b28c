using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>Memory of a device as this process holds it: what a card must have, beyond what tensors fill at the moment.</summary>
public static class DeviceMemory
{
    /// <summary>Bytes held now; of the process on a CPU.</summary>
    public static long Held(Device device) => device.type == DeviceType.CUDA ? throw new NotSupportedException() : Environment.WorkingSet;

    /// <summary>The most bytes held so far; of the process on a CPU.</summary>
    public static long Peak(Device device)
    {
        if (device.type == DeviceType.CUDA)
        {
            throw new NotSupportedException();
        }

        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
