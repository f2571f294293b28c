using System.Diagnostics;
using static TorchSharp.torch;

// B batch, H query heads, K key heads, T time, N channels of a head.
namespace Hearth.Kernels.Checks;

/// <summary>
/// Under strict determinism: every operator of the models that scatters or sums gives the same bits each time and none refuses, at sizes
/// where atomic additions would collide; attention too, whose time is told beside that of any algorithm.
/// </summary>
public static class ExactnessChecks
{
    private const int Repeats = 3;

    internal static IEnumerable<KernelCheck> Of(Device device)
    {
        foreach (var type in new[] { ScalarType.BFloat16, ScalarType.Float32 })
        {
            yield return Exact($"attention of grouped heads in {type}", () => Attention(device, type, batch: 4, masked: false));
            yield return Exact($"masked attention of grouped heads in {type}", () => Attention(device, type, batch: 2, masked: true));
        }

        foreach (var (name, shapes, function) in Operators(device))
        {
            yield return Exact(name, () => Comparison.WithGradients(Comparison.Inputs(device, shapes), function));
        }
    }

    /// <summary>Milliseconds of attention, forward and backward, at 16×8/2×2048×64 in bf16: exact, then by any algorithm.</summary>
    public static IEnumerable<KernelTime> Times(Device device)
    {
        bool before = Determinism.IsStrict;
        try
        {
            foreach (bool strict in new[] { true, false })
            {
                Determinism.Set(strict);
                yield return new KernelTime($"attention 16x8/2x2048x64 bf16, forward and backward, {(strict ? "exact" : "any algorithm")}", Time(device));
            }
        }
        finally
        {
            Determinism.Set(before);
        }
    }

    private static KernelCheck Exact(string name, Func<Tensor[]> run) => new($"{name}, {Repeats} times", () => Comparison.Strictly(() =>
    {
        Tensor[] first = run();
        return Enumerable.Range(1, Repeats - 1).Max(_ => Comparison.Bits(run(), first));
    }));

    private static Tensor[] Attention(Device device, ScalarType type, long batch, bool masked)
    {
        const long heads = 8, keyHeads = 2, width = 64;
        long time = device.type == TorchSharp.DeviceType.CUDA ? 1024 : 48;
        Tensor[] inputs = [.. Comparison.Inputs(device, [batch, heads, time, width], [batch, keyHeads, time, width], [batch, keyHeads, time, width]).Select(x => x.to(type))];
        var mask = masked ? full([time, time], double.NegativeInfinity, type, device).triu(1).expand(batch, 1, time, time) : null;
        return Comparison.WithGradients(inputs, x => [Kernels.Attention.Of(x[0], x[1], x[2], mask, causal: mask is null)]);
    }

    private static IEnumerable<(string Name, long[][] Shapes, Func<Tensor[], Tensor[]> Function)> Operators(Device device)
    {
        var few = arange(0, 4096, ScalarType.Int64, device).remainder(7);
        var columns = few.view(64, 64);
        yield return ("embedding", [[50, 96]], x => [Kernels.Operators.Embedding(few.view(8, 512), x[0])]);
        yield return ("index_select", [[50, 96]], x => [x[0].index_select(0, few)]);
        yield return ("gather", [[64, 64]], x => [x[0].gather(1, columns)]);
        yield return ("scatter_add of rows", [[64, 64]], x => [zeros([64, 7], ScalarType.Float32, device).scatter_add(1, columns, x[0])]);
        yield return ("scatter_add of a line", [[4096]], x => [zeros([7], ScalarType.Float32, device).scatter_add(0, few, x[0])]);
        yield return ("softmax and logsumexp", [[64, 1003]], x => [x[0].softmax(-1), x[0].logsumexp(-1)]);
        yield return ("masked_fill", [[64, 64]], x => [x[0].masked_fill(columns.eq(3), 0.0)]);
        yield return ("product and sum over rows", [[512, 300], [300, 200], [200]], x => [x[0].mm(x[1]) + x[2]]);
        yield return ("conv2d", [[4, 3, 32, 32], [16, 3, 8, 8]], x => [nn.functional.conv2d(x[0], x[1], strides: [8L, 8])]);
    }

    private static double Time(Device device)
    {
        const int runs = 20;
        using var scope = NewDisposeScope();
        Tensor[] inputs = [.. Comparison.Inputs(device, [16, 8, 2048, 64], [16, 2, 2048, 64], [16, 2, 2048, 64]).Select(x => x.to(ScalarType.BFloat16).requires_grad_())];
        var weights = ones_like(inputs[0]);
        var watch = new Stopwatch();
        for (int i = -5; i < runs; i++)
        {
            if (i == 0)
            {
                cuda.synchronize(device);
                watch.Restart();
            }

            using var inner = NewDisposeScope();
            Differentiation.Backward([Kernels.Attention.Of(inputs[0], inputs[1], inputs[2], causal: true)], [weights]);
            foreach (var input in inputs)
            {
                input.grad = null;
            }
        }

        cuda.synchronize(device);
        return watch.Elapsed.TotalMilliseconds / runs;
    }
}
