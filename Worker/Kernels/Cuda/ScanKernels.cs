using System.Collections.Concurrent;
using System.Globalization;

namespace Hearth.Kernels.Cuda;

/// <summary>The kernels of <c>scans.cu</c> by the sizes they are compiled for.</summary>
internal static class ScanKernels
{
    /// <summary>Channels of a head, or states, at most: a thread keeps a column of the state in registers.</summary>
    internal const long MostChannels = 64;

    /// <summary>Steps between kept states; the backward pass recomputes between them.</summary>
    internal const long Every = 16;

    private static readonly ConcurrentDictionary<(string Name, long States, long Channels), CudaKernel> s_kernels = [];

    internal static CudaKernel Of(string name, long states, long channels) => s_kernels.GetOrAdd(
        (name, states, channels),
        key => new CudaKernel("scans", key.Name, string.Create(CultureInfo.InvariantCulture, $"constexpr int N = {key.States}, P = {key.Channels}, kEvery = {Every};\n")));

    /// <summary>Kept states of a row.</summary>
    internal static long Blocks(long time) => (time + Every - 1) / Every;
}
