using System.Runtime.InteropServices;
using Hearth.Kernels.Runtime;

namespace Hearth.Kernels.Cuda;

/// <summary>
/// libtorch's class for a recording, at::cuda::CUDAGraph, by the names of its members: it has no C form, and recording needs it, since it
/// gives the work memory of its own and carries random numbers on. Its exceptions cannot be caught here and end the process, so callers
/// ask beforehand whatever can be asked.
/// </summary>
internal static unsafe class TorchGraph
{
    // Far more than any release's class holds.
    private const int Room = 1 << 16;
    private const int RelaxedCapture = 2;
    private static readonly Lazy<Members> s_members = new(Resolve);

    /// <summary>Why there is none here: another system than Linux on x86-64, no CUDA, or a libtorch without these members; else null.</summary>
    internal static string? Missing
    {
        get
        {
            try
            {
                _ = s_members.Value;
                return null;
            }
            catch (Exception e) when (e is KernelException or IOException)
            {
                return e.Message;
            }
        }
    }

    /// <summary>A new one. The current stream must be none that is recorded.</summary>
    internal static nint Create()
    {
        nint graph = (nint)NativeMemory.AllocZeroed(Room);
        ((delegate* unmanaged[Cdecl]<nint, byte, void>)s_members.Value.Constructor)(graph, 0);
        return graph;
    }

    /// <summary>Starts to record the current stream, which must not be the default one. Other threads may do what they like meanwhile.</summary>
    internal static void Begin(nint graph) => ((delegate* unmanaged[Cdecl]<nint, ulong, ulong, int, void>)s_members.Value.Begin)(graph, 0, 0, RelaxedCapture);

    /// <summary>Ends what <see cref="Begin"/> began; the capture must be whole.</summary>
    internal static void End(nint graph) => ((delegate* unmanaged[Cdecl]<nint, void>)s_members.Value.End)(graph);

    internal static void Replay(nint graph) => ((delegate* unmanaged[Cdecl]<nint, void>)s_members.Value.Replay)(graph);

    internal static void Destroy(nint graph)
    {
        ((delegate* unmanaged[Cdecl]<nint, void>)s_members.Value.Destructor)(graph);
        NativeMemory.Free((void*)graph);
    }

    private static Members Resolve()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            throw new KernelException("work is recorded on Linux on x86-64 only");
        }

        const string graph = "_ZN2at4cuda9CUDAGraph";
        string file = Libtorch.OwnLibrary("torch_cuda") ?? throw new KernelException("this libtorch has no CUDA part");
        string[] prefixes = [graph + "C1Eb", graph + "13capture_beginESt4pairIyyE", graph + "11capture_endEv", graph + "6replayEv", graph + "D1Ev"];
        var found = ElfSymbols.Find(file, prefixes);
        nint library = NativeLibrary.Load(file);
        nint Address(int i) => found[i] is { } symbol && NativeLibrary.TryGetExport(library, symbol.Name, out nint address)
            ? address
            : throw new KernelException($"{Path.GetFileName(file)} exports nothing that starts with {prefixes[i]}. libtorch 2.10 or newer is needed.");
        return new Members(Address(0), Address(1), Address(2), Address(3), Address(4));
    }

    private sealed record Members(nint Constructor, nint Begin, nint End, nint Replay, nint Destructor);
}
