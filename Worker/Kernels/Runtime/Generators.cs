using System.Runtime.InteropServices;
using Hearth.Kernels.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>The default generators, by device.</summary>
public static unsafe partial class Generators
{
    private static readonly Lazy<nint> s_ofCuda = new(() => TorchStreams.Export(OperatingSystem.IsWindows()
        ? "?getDefaultCUDAGenerator@detail@cuda@at@@YAAEBUGenerator@3@C@Z"
        : "_ZN2at4cuda6detail23getDefaultCUDAGeneratorEa"));

    /// <summary>Starts the generators of all devices at a seed. TorchSharp's <c>manual_seed</c> starts the CPU's alone.</summary>
    public static void Seed(long seed)
    {
        manual_seed(seed);
        if (cuda.is_available())
        {
            cuda.manual_seed_all(seed);
        }
    }

    /// <summary>The state that decides a device's next random numbers, as bytes on the CPU.</summary>
    public static Tensor State(Device device) =>
        device.type == DeviceType.CUDA ? Tensor.UnsafeCreateTensor(THSGenerator_get_rng_state(OfCuda(device))) : get_rng_state();

    /// <summary>Puts a device's generator back to a state that <see cref="State"/> gave.</summary>
    public static void Restore(Device device, Tensor state)
    {
        if (device.type == DeviceType.CUDA)
        {
            THSGenerator_set_rng_state(OfCuda(device), state.Handle);
        }
        else
        {
            set_rng_state(state);
        }

        GC.KeepAlive(state);
    }

    // TorchSharp has the default generator of the CPU alone.
    private static nint OfCuda(Device device) => ((delegate* unmanaged[Cdecl]<sbyte, nint>)s_ofCuda.Value)((sbyte)device.index);

    [LibraryImport("LibTorchSharp")]
    private static partial nint THSGenerator_get_rng_state(nint generator);

    [LibraryImport("LibTorchSharp")]
    private static partial void THSGenerator_set_rng_state(nint generator, nint state);
}
