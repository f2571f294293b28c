using System.Globalization;
using System.Runtime.InteropServices;
using Hearth.Kernels.Cuda;

namespace Hearth.Kernels;

/// <summary>What decides a card's results beside the work itself.</summary>
/// <param name="Name">For example <c>NVIDIA H200</c>.</param>
/// <param name="Capability">Compute capability: <c>9.0</c> is Hopper's.</param>
/// <param name="Driver">The driver's version, for example <c>580.159.04</c>; where only that is known, the newest CUDA it has.</param>
/// <param name="Bytes">Of memory.</param>
public sealed record CudaCard(string Name, string Capability, string Driver, long Bytes)
{
    /// <summary>The card of a number, counted as libtorch counts; null where there is no driver or no such card.</summary>
    public static CudaCard? Of(int index)
    {
        if (!CudaDriver.IsThere)
        {
            return null;
        }

        try
        {
            var (major, minor) = CudaDriver.Capability(index);
            return new CudaCard(CudaDriver.Name(index), string.Create(CultureInfo.InvariantCulture, $"{major}.{minor}"), DriverVersion(), CudaDriver.Memory(index).Total);
        }
        catch (KernelException)
        {
            return null;
        }
    }

    private static unsafe string DriverVersion()
    {
        const int longest = 80;
        if (NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvml.dll" : "libnvidia-ml.so.1", out nint library)
            && NativeLibrary.TryGetExport(library, "nvmlInit_v2", out nint init)
            && NativeLibrary.TryGetExport(library, "nvmlSystemGetDriverVersion", out nint get)
            && ((delegate* unmanaged[Cdecl]<int>)init)() == 0)
        {
            byte* text = stackalloc byte[longest];
            if (((delegate* unmanaged[Cdecl]<byte*, uint, int>)get)(text, longest) == 0)
            {
                return Marshal.PtrToStringUTF8((nint)text)!;
            }
        }

        int cuda = CudaDriver.Version;
        return string.Create(CultureInfo.InvariantCulture, $"CUDA {cuda / 1000}.{cuda % 1000 / 10}");
    }
}
