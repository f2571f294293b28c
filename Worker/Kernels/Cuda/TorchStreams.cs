using System.Runtime.InteropServices;
using Hearth.Kernels.Door;

namespace Hearth.Kernels.Cuda;

/// <summary>libtorch's CUDA streams of this thread, by its C ABI (aoti_torch/c/shim.h).</summary>
internal static unsafe class TorchStreams
{
    private static readonly Lazy<nint> s_current = new(() => Export("aoti_torch_get_current_cuda_stream"));
    private static readonly Lazy<nint> s_set = new(() => Export("torch_set_current_cuda_stream"));
    private static readonly Lazy<nint> s_fromPool = new(() => Export("torch_get_cuda_stream_from_pool"));

    /// <summary>The stream that this thread queues its work of a device on.</summary>
    internal static nint Current(int device)
    {
        nint stream;
        Dispatcher.Check(((delegate* unmanaged[Cdecl]<int, nint*, int>)s_current.Value)(device, &stream), "the current stream");
        return stream;
    }

    /// <summary>One of the streams beside the default one; libtorch hands them out in turn.</summary>
    internal static nint FromPool(int device)
    {
        nint stream;
        Dispatcher.Check(((delegate* unmanaged[Cdecl]<byte, int, nint*, int>)s_fromPool.Value)(0, device, &stream), "a stream of the pool");
        return stream;
    }

    internal static void MakeCurrent(int device, nint stream) =>
        Dispatcher.Check(((delegate* unmanaged[Cdecl]<nint, int, int>)s_set.Value)(stream, device), "the change of the current stream");

    /// <exception cref="KernelException">This libtorch has no CUDA, or not this function.</exception>
    internal static nint Export(string name)
    {
        string file = Libtorch.OwnLibrary("torch_cuda") ?? throw new KernelException("this libtorch has no CUDA part");
        return NativeLibrary.TryGetExport(NativeLibrary.Load(file), name, out nint address)
            ? address
            : throw new KernelException($"{Path.GetFileName(file)} has no {name}. libtorch 2.10 or newer is needed.");
    }
}
