using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hearth.Kernels.Door;

namespace Hearth.Kernels.Runtime;

/// <summary>Loops over libtorch's own threads: a pool beside them would fight with its spinning ones for the cores.</summary>
internal static unsafe class Threads
{
    /// <summary>Does <paramref name="body"/>(begin, end) over parts of 0..<paramref name="count"/> of at least <paramref name="grain"/> each; an exception of any part is thrown here.</summary>
    internal static void For(long count, long grain, Action<long, long> body)
    {
        if (count <= grain)
        {
            if (count > 0)
            {
                body(0, count);
            }

            return;
        }

        var loop = new Loop(body);
        var handle = GCHandle.Alloc(loop);
        try
        {
            Dispatcher.Check(Dispatcher.torch_parallel_for(0, count, grain, &Part, (void*)GCHandle.ToIntPtr(handle)), "a parallel loop");
        }
        finally
        {
            handle.Free();
        }

        if (loop.Failure is { } failure)
        {
            throw new KernelException(failure.Message, failure);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Part(long begin, long end, void* context)
    {
        var loop = (Loop)GCHandle.FromIntPtr((nint)context).Target!;
        try
        {
            loop.Body(begin, end);
        }
        catch (Exception e)
        {
            loop.Failure = e;
        }
    }

    private sealed class Loop(Action<long, long> body)
    {
        internal Action<long, long> Body { get; } = body;

        internal Exception? Failure { get; set; }
    }
}
