using System.Runtime.Intrinsics.X86;
using Hearth.Hardware;
using Hearth.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>What a run needs to know of the device that it is on, in one place.</summary>
public static class DeviceFacts
{
    /// <summary>What decides the last bits of its results: the card's name; of a processor the instructions that libtorch chooses its kernels by.</summary>
    public static string Model(Device device) => device.type == DeviceType.CUDA ? CudaCard.Of(Math.Max(0, device.index))?.Name ?? $"{device}" : $"CPU with {Instructions()}";

    /// <summary>What forecasts tell apart.</summary>
    public static DeviceKind Kind(Device device) => device.type == DeviceType.CUDA ? DeviceKind.Cuda : DeviceKind.Cpu;

    /// <summary>Version and flavour of the libtorch in this process.</summary>
    public static string LibtorchVersion => Libtorch.Load() is { Cuda: { } cuda } library ? $"{library.Version} (CUDA {cuda})" : $"{Libtorch.Load().Version} (CPU)";

    /// <summary>Bytes that nobody holds.</summary>
    public static long FreeBytes(Device device) =>
        DeviceMemory.Card(device)?.Free ?? Math.Min(HostMemory.Read()?.FreeBytes ?? long.MaxValue, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    /// <summary>The most that this process has taken of it, unused blocks too; on the CPU its largest resident set.</summary>
    public static long PeakBytes(Device device) => DeviceMemory.Use(device).PeakReserved;

    // As libtorch chooses: by what is asked for, else the best that the processor has.
    private static string Instructions() => Environment.GetEnvironmentVariable("ATEN_CPU_CAPABILITY") is { Length: > 0 } asked ? asked.ToUpperInvariant()
        : Avx512F.VL.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported ? "AVX512"
        : Avx2.IsSupported && Fma.IsSupported ? "AVX2"
        : "DEFAULT";
}
