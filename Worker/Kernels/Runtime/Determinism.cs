using System.Runtime.InteropServices;

namespace Hearth.Kernels;

/// <summary>Whether libtorch may choose algorithms whose bits differ from run to run. TorchSharp's own switch is not implemented.</summary>
public static unsafe class Determinism
{
    private static readonly Lazy<Context> s_context = new(() => new Context());

    /// <summary>
    /// On: an operator that has no deterministic algorithm throws. Call it before the first product on CUDA: cuBLAS reads its workspace's
    /// size then, and repeats its bits only with workspaces of its own.
    /// </summary>
    public static void Set(bool strict)
    {
        if (strict && Environment.GetEnvironmentVariable("CUBLAS_WORKSPACE_CONFIG") is null)
        {
            NativeEnvironment.Set("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
        }

        var context = s_context.Value;
        ((delegate* unmanaged[Cdecl]<nint, byte, byte, void>)context.SetAlgorithms)(context.Instance, strict ? (byte)1 : (byte)0, 0);

        // cuDNN's attention is the fastest there is and never exact; what is left chooses an exact form by the switch above.
        ((delegate* unmanaged[Cdecl]<nint, byte, void>)context.SetCudnnAttention)(context.Instance, strict ? (byte)0 : (byte)1);

        // Else every new tensor is filled with NaN, so that reading one too early gives the same bits too: a pass over memory for nothing.
        ((delegate* unmanaged[Cdecl]<nint, byte, void>)context.SetFill)(context.Instance, 0);
    }

    /// <summary>Whether strict algorithms are on.</summary>
    public static bool IsStrict => ((delegate* unmanaged[Cdecl]<nint, byte>)s_context.Value.Algorithms)(s_context.Value.Instance) != 0;

    /// <summary>at::Context's members, which have no C form, by the names that the compilers of both systems give them.</summary>
    private sealed class Context
    {
        private readonly nint _library = NativeLibrary.Load(Libtorch.OwnLibrary("torch_cpu")!);

        internal Context() => Instance = ((delegate* unmanaged[Cdecl]<nint>)Member("_ZN2at13globalContextEv", "?globalContext@at@@YAAEAVContext@1@XZ"))();

        internal nint Instance { get; }

        internal nint SetAlgorithms => Member("_ZN2at7Context26setDeterministicAlgorithmsEbb", "?setDeterministicAlgorithms@Context@at@@QEAAX_N0@Z");

        internal nint Algorithms => Member("_ZNK2at7Context23deterministicAlgorithmsEv", "?deterministicAlgorithms@Context@at@@QEBA_NXZ");

        internal nint SetFill => Member("_ZN2at7Context39setDeterministicFillUninitializedMemoryEb", "?setDeterministicFillUninitializedMemory@Context@at@@QEAAX_N@Z");

        internal nint SetCudnnAttention => Member("_ZN2at7Context14setSDPUseCuDNNEb", "?setSDPUseCuDNN@Context@at@@QEAAX_N@Z");

        private nint Member(string linux, string windows) => NativeLibrary.GetExport(_library, OperatingSystem.IsWindows() ? windows : linux);
    }
}
