using Hearth.Kernels.Cuda;
using static TorchSharp.torch;

namespace Hearth.Kernels.Checks;

/// <summary>What the runtime beside the kernels says of a card: memory, cached code, sums over cards.</summary>
internal static class DeviceChecks
{
    private const long Large = 256L << 20;

    internal static IEnumerable<KernelCheck> Of(Device device)
    {
        yield return new KernelCheck("compiled kernels are found on disk again", () => Cached(device));
        yield return new KernelCheck("256 MiB are seen in the tensors' bytes, the peak, the reserved bytes and on the card", () => Memory(device));
        yield return new KernelCheck("a sum over one card", () => Summed(device));
        yield return new KernelCheck("too large a tensor is an exception", () => TooLarge(device));
        yield return new KernelCheck("fused AdamW against its equations", () => AdamW(device), 1e-6);
    }

    private static double Cached(Device device)
    {
        FusedKernels.Norms([ones([1], ScalarType.Float32, device)]);
        string key = CudaModules.Key("norms", Launches.TypeHead(ScalarType.Float32), Math.Max(0, device.index));
        var cache = new KernelCache(CudaModules.Folder);
        _ = cache.Get(key, () => [0]);
        return cache.Counts == (1, 0) ? 0 : 1;
    }

    private static double Memory(Device device)
    {
        DeviceMemory.GiveBack(device);
        DeviceMemory.RestartPeak(device);
        var before = DeviceMemory.Use(device);
        long freeBefore = DeviceMemory.Card(device)!.Value.Free;
        var large = empty([Large], ScalarType.Byte, device);
        var during = DeviceMemory.Use(device);
        long taken = freeBefore - DeviceMemory.Card(device)!.Value.Free;
        large.Dispose();
        var after = DeviceMemory.Use(device);
        DeviceMemory.GiveBack(device);
        var given = DeviceMemory.Use(device);
        bool right = during.Allocated - before.Allocated == Large && during.Reserved - before.Reserved >= Large && taken >= Large
            && after.Allocated == before.Allocated && after.PeakAllocated - before.Allocated == Large && given.Reserved < during.Reserved;
        return right ? 0 : throw new KernelException($"before {before}, during {during}, after {after}, given back {given}, taken on the card {taken}");
    }

    private static double Summed(Device device)
    {
        using var group = new NcclGroup(NcclGroup.NewId(), 0, 1, device);
        var x = ones([1024], ScalarType.Float32, device);
        group.AddUp(x);
        return Math.Abs(x.sum().item<float>() - 1024);
    }

    private static double TooLarge(Device device)
    {
        try
        {
            using var x = empty([1L << 42], ScalarType.Byte, device);
            return 1;
        }
        catch (Exception e) when (e.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase))
        {
            return 0;
        }
    }

    private static double AdamW(Device device)
    {
        Tensor[] x = Comparison.Inputs(device, [1001], [1001], [1001], [1001]);
        var (w, g, m, v) = (x[0], x[1], x[2] * 0.1, x[3].pow(2) * 0.1);
        var step = new AdamWStep(1e-2, 0.9, 0.95, 1e-8, 0.1, 3, 0.5);
        var scaled = g * step.Scale;
        var first = (m * step.Beta1) + (scaled * (1 - step.Beta1));
        var second = (v * step.Beta2) + (scaled.pow(2) * (1 - step.Beta2));
        var moved = (w * (1 - (step.Lr * step.WeightDecay)))
            - (first / (1 - Math.Pow(step.Beta1, 3)) / ((second / (1 - Math.Pow(step.Beta2, 3))).sqrt() + step.Eps) * step.Lr);
        return FusedKernels.AdamW([w], [g], [m], [v], step) ? Comparison.Largest([w, m, v], [moved, first, second]) : double.PositiveInfinity;
    }
}
