using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>
/// A kernel of one embedded source, compiled for a card at its first launch there. <paramref name="head"/> goes before the source: the
/// types and sizes that it leaves open.
/// </summary>
internal sealed unsafe class CudaKernel(string source, string name, string head)
{
    private readonly Dictionary<int, nint> _functions = [];

    /// <summary>Queues one run on libtorch's current stream of the device; nothing where there are no blocks.</summary>
    /// <param name="device">Where the arguments lie.</param>
    /// <param name="blocks">Of the grid, along its first axis.</param>
    /// <param name="threads">Of a block.</param>
    /// <param name="arguments">In the order of the kernel's parameters.</param>
    /// <exception cref="KernelException">It does not compile, with NVRTC's own words, or the driver refuses it.</exception>
    internal void Launch(Device device, long blocks, int threads, params ReadOnlySpan<LaunchArgument> arguments)
    {
        if (blocks == 0)
        {
            return;
        }

        if (blocks > int.MaxValue)
        {
            throw new KernelException($"{name} needs {blocks} blocks; at most {int.MaxValue} are possible");
        }

        ulong* values = stackalloc ulong[arguments.Length * LaunchArgument.Words];
        void** pointers = stackalloc void*[arguments.Length];
        for (int i = 0; i < arguments.Length; i++)
        {
            pointers[i] = values + (i * LaunchArgument.Words);
            arguments[i].CopyTo(new Span<ulong>(pointers[i], LaunchArgument.Words));
        }

        int index = device.index < 0 ? 0 : device.index;
        using var on = CudaDriver.On(index);
        CudaDriver.Check(CudaDriver.Launch(Function(index), (uint)blocks, (uint)threads, TorchStreams.Current(index), pointers), name);
        foreach (var argument in arguments)
        {
            argument.Keep();
        }
    }

    private nint Function(int device)
    {
        lock (_functions)
        {
            if (!_functions.TryGetValue(device, out nint function))
            {
                function = CudaDriver.Kernel(CudaModules.Of(source, head, device), name);
                _functions[device] = function;
            }

            return function;
        }
    }
}
