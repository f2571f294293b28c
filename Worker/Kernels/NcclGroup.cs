using System.Runtime.InteropServices;
using Hearth.Kernels.Cuda;
using Hearth.Kernels.Door;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>Processes, each with a card of its own, that add up tensors over all cards: NCCL's C API, from the library beside libtorch.</summary>
public sealed unsafe class NcclGroup : IDisposable
{
    /// <summary>Bytes of a group's name.</summary>
    public const int IdBytes = 128;

    private const int Sum = 0;
    private static readonly Lazy<nint> s_library = new(() => CudaLibraries.Load("nccl", "libnccl.so.2").Library);
    private readonly int _device;
    private nint _group;

    /// <summary>Joins a group; returns when all have.</summary>
    /// <param name="id">The group's name: one process makes it by <see cref="NewId"/> and hands it to the others.</param>
    /// <param name="rank">This process's number, from 0.</param>
    /// <param name="ranks">How many processes there are.</param>
    /// <param name="device">This process's card.</param>
    public NcclGroup(ReadOnlySpan<byte> id, int rank, int ranks, Device device)
    {
        if (id.Length != IdBytes || rank < 0 || rank >= ranks)
        {
            throw new ArgumentException($"rank {rank} of {ranks} with a name of {id.Length} bytes. Allowed: 0 to ranks − 1, {IdBytes} bytes.", nameof(rank));
        }

        _device = Math.Max(0, device.index);
        Id name;
        id.CopyTo(new Span<byte>(name.Bytes, IdBytes));
        nint group;
        using var on = CudaDriver.On(_device);
        Check(((delegate* unmanaged[Cdecl]<nint*, int, Id, int, int>)Function("ncclCommInitRank"))(&group, ranks, name, rank), "to join a group");
        _group = group;
    }

    /// <summary>A name for a new group.</summary>
    public static byte[] NewId()
    {
        Id name;
        Check(((delegate* unmanaged[Cdecl]<Id*, int>)Function("ncclGetUniqueId"))(&name), "a name");
        return new ReadOnlySpan<byte>(name.Bytes, IdBytes).ToArray();
    }

    /// <summary>Puts the sum over all processes in place of a contiguous tensor, on libtorch's current stream. All call it in the same order.</summary>
    public void AddUp(Tensor tensor)
    {
        Launches.Require(tensor.is_contiguous(), "a sum over cards takes a contiguous tensor", tensor);
        ObjectDisposedException.ThrowIf(_group == 0, this);
        void* data = Memory.Pointer<byte>(tensor);
        using var on = CudaDriver.On(_device);
        Check(
            ((delegate* unmanaged[Cdecl]<void*, void*, nuint, int, int, nint, nint, int>)Function("ncclAllReduce"))(
                data, data, (nuint)tensor.numel(), Code(tensor.dtype), Sum, _group, TorchStreams.Current(_device)),
            "a sum");
        GC.KeepAlive(tensor);
    }

    public void Dispose()
    {
        if (_group != 0)
        {
            _ = ((delegate* unmanaged[Cdecl]<nint, int>)Function("ncclCommDestroy"))(_group);
            _group = 0;
        }
    }

    // As nccl.h numbers them.
    private static int Code(ScalarType type) => type switch
    {
        ScalarType.Int32 => 2,
        ScalarType.Int64 => 4,
        ScalarType.Float32 => 7,
        ScalarType.Float64 => 8,
        ScalarType.BFloat16 => 9,
        _ => throw new ArgumentException($"tensors of {type} are not added up over cards. Allowed: Int32, Int64, Float32, Float64, BFloat16.", nameof(type)),
    };

    private static nint Function(string name) => NativeLibrary.GetExport(s_library.Value, name);

    private static void Check(int result, string what)
    {
        if (result != 0)
        {
            nint text = ((delegate* unmanaged[Cdecl]<int, nint>)Function("ncclGetErrorString"))(result);
            throw new KernelException($"NCCL refused {what}: {Marshal.PtrToStringUTF8(text)} ({result})");
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Id
    {
        internal fixed byte Bytes[IdBytes];
    }
}
