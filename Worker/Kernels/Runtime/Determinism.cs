using System.Runtime.InteropServices;

namespace Hearth.Kernels;

/// <summary>Whether libtorch may choose algorithms whose bits differ from run to run. TorchSharp's own switch is not implemented.</summary>
public static partial class Determinism
{
    private const string Library = "torch_cpu";

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

        nint context = GlobalContext();
        SetDeterministicAlgorithms(context, strict ? (byte)1 : (byte)0, 0);

        // cuDNN's attention is the fastest there is and never exact; what is left chooses an exact form by the switch above.
        SetCudnnAttention(context, strict ? (byte)0 : (byte)1);

        // Else every new tensor is filled with NaN, so that reading one too early gives the same bits too: a pass over memory for nothing.
        SetDeterministicFill(context, 0);
    }

    /// <summary>Whether strict algorithms are on.</summary>
    public static bool IsStrict => DeterministicAlgorithms(GlobalContext()) != 0;

    [LibraryImport(Library, EntryPoint = "_ZN2at13globalContextEv")]
    private static partial nint GlobalContext();

    [LibraryImport(Library, EntryPoint = "_ZN2at7Context26setDeterministicAlgorithmsEbb")]
    private static partial void SetDeterministicAlgorithms(nint context, byte on, byte warnOnly);

    [LibraryImport(Library, EntryPoint = "_ZN2at7Context39setDeterministicFillUninitializedMemoryEb")]
    private static partial void SetDeterministicFill(nint context, byte on);

    [LibraryImport(Library, EntryPoint = "_ZN2at7Context14setSDPUseCuDNNEb")]
    private static partial void SetCudnnAttention(nint context, byte on);

    [LibraryImport(Library, EntryPoint = "_ZNK2at7Context23deterministicAlgorithmsEv")]
    private static partial byte DeterministicAlgorithms(nint context);
}
