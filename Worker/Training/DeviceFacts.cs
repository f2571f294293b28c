using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>What decides the last bits of a device's results beside the run itself. A checkpoint keeps it, and a resume compares.</summary>
public static class DeviceFacts
{
    /// <summary>The card's name; of a processor the instructions that libtorch chooses its kernels by, which is what its bits depend on.</summary>
    public static string Model(Device device) => device.index < 0 ? $"CPU with {Instructions()}" : device.ToString();

    /// <summary>Version of the libtorch in this process.</summary>
    public static string Libtorch => __version__;

    // As libtorch chooses: by what is asked for, else the best that the processor has.
    private static string Instructions() => Environment.GetEnvironmentVariable("ATEN_CPU_CAPABILITY") is { Length: > 0 } asked ? asked.ToUpperInvariant()
        : Avx512F.VL.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported ? "AVX512"
        : Avx2.IsSupported && Fma.IsSupported ? "AVX2"
        : "DEFAULT";
}
