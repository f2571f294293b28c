using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>States of the default generators, by device.</summary>
public static partial class Generators
{
    /// <summary>The state that decides a device's next random numbers, as bytes on the CPU.</summary>
    public static Tensor State(Device device) =>
        device.type == DeviceType.CUDA ? Tensor.UnsafeCreateTensor(THSGenerator_get_rng_state(OfCuda((sbyte)device.index))) : get_rng_state();

    /// <summary>Puts a device's generator back to a state that <see cref="State"/> gave.</summary>
    public static void Restore(Device device, Tensor state)
    {
        if (device.type == DeviceType.CUDA)
        {
            THSGenerator_set_rng_state(OfCuda((sbyte)device.index), state.Handle);
        }
        else
        {
            set_rng_state(state);
        }

        GC.KeepAlive(state);
    }

    // TorchSharp has the default generator of the CPU alone.
    [LibraryImport("torch_cuda", EntryPoint = "_ZN2at4cuda6detail23getDefaultCUDAGeneratorEa")]
    private static partial nint OfCuda(sbyte device);

    [LibraryImport("LibTorchSharp")]
    private static partial nint THSGenerator_get_rng_state(nint generator);

    [LibraryImport("LibTorchSharp")]
    private static partial void THSGenerator_set_rng_state(nint generator, nint state);
}
