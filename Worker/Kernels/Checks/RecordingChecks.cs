using static TorchSharp.torch;

namespace Hearth.Kernels.Checks;

/// <summary>Recorded work against launched work, and what is left of the device after a recording that failed.</summary>
internal static class RecordingChecks
{
    internal static IEnumerable<KernelCheck> Of(Device device)
    {
        yield return new KernelCheck("recorded work gives the bits of launched work", () => Comparison.Strictly(() => new Recorded(device).AgainstLaunched()));
        yield return new KernelCheck("recorded work reads what was copied into its inputs", () => Comparison.Strictly(() => new Recorded(device).WithOtherInput()));
        yield return new KernelCheck("a seed, and a state put back, give the same random numbers again", () => Seeded(device));
        yield return new KernelCheck("recorded random numbers go on from replay to replay", () => Random(device));
        yield return new KernelCheck("after work that cannot be recorded the device works as before", () => Comparison.Strictly(() => AfterFailure(device)));
    }

    private static double Seeded(Device device)
    {
        Tensor Drawn() => randn([1000], ScalarType.Float32, device);
        Generators.Seed(11);
        Tensor first = Drawn(), state = Generators.State(device), second = Drawn();
        Generators.Restore(device, state);
        var again = Drawn();
        Generators.Seed(11);
        return Comparison.Bits([again, Drawn()], [second, first]);
    }

    // The same seed must give the same numbers, recorded or launched, one run after another.
    private static double Random(Device device)
    {
        var x = zeros([1000], ScalarType.Float32, device);
        Tensor[] Draws(Action draw)
        {
            Generators.Seed(11);
            var draws = new List<Tensor>();
            for (int i = 0; i < 3; i++)
            {
                draw();
                draws.Add(x.clone());
            }

            return [.. draws];
        }

        Tensor[] launched = Draws(() => x.normal_());
        using var graph = new CudaGraph(device, () => x.normal_());
        return Comparison.Bits(Draws(graph.Replay), launched);
    }

    private static double AfterFailure(Device device)
    {
        double before = new Recorded(device).AgainstLaunched();
        for (int i = 0; i < 2; i++)
        {
            try
            {
                using var graph = new CudaGraph(device, () => ones([4], ScalarType.Float32, device).sum().item<float>());
                return double.PositiveInfinity;
            }
            catch (KernelException)
            {
                // As it must be: a number on the host cannot be recorded.
            }

            try
            {
                using var graph = new CudaGraph(device, () => throw new InvalidOperationException("the work's own failure"));
                return double.PositiveInfinity;
            }
            catch (KernelException e) when (e.InnerException is InvalidOperationException)
            {
                // As it must be: the failure arrives, and the capture is gone.
            }
        }

        return Math.Max(before, new Recorded(device).AgainstLaunched());
    }

    /// <summary>Forward and backward of products, kernels of ours, and choices whose gradients collide.</summary>
    private sealed class Recorded
    {
        private readonly Device _device;
        private readonly Tensor _x;
        private readonly Tensor _w;
        private readonly Tensor _scale;
        private readonly Tensor _rows;
        private readonly Tensor _columns;

        internal Recorded(Device device)
        {
            Tensor[] inputs = Comparison.Inputs(device, [64, 256], [256, 256], [256]);
            (_device, _x, _w, _scale) = (device, inputs[0], inputs[1].requires_grad_(), inputs[2].requires_grad_());
            _rows = arange(0, 64, ScalarType.Int64, device).remainder(9);
            _columns = arange(0, 64 * 256, ScalarType.Int64, device).remainder(251).view(64, 256);
        }

        internal double AgainstLaunched()
        {
            Tensor[] launched = Launch();
            using var graph = Record(out var grads);
            graph.Replay();
            graph.Replay();
            return Comparison.Bits(grads, launched);
        }

        internal double WithOtherInput()
        {
            Launch();
            using var graph = Record(out var grads);
            _x.copy_(_x * 0.5);
            graph.Replay();
            Tensor[] replayed = [.. grads.Select(g => g.clone())];
            return Comparison.Bits(replayed, Launch());
        }

        private CudaGraph Record(out Tensor[] grads)
        {
            Launch();
            Tensor[] kept = [];
            var graph = new CudaGraph(_device, () =>
            {
                using var scope = NewDisposeScope();
                kept = [.. Work().Select(g => g.DetachFromDisposeScope())];
            });
            grads = kept;
            return graph;
        }

        private Tensor[] Launch()
        {
            using var scope = NewDisposeScope();
            return [.. Work().Select(g => g.clone().MoveToOuterDisposeScope())];
        }

        private Tensor[] Work()
        {
            (_w.grad, _scale.grad) = (null, null);
            var h = _x;
            for (int i = 0; i < 3; i++)
            {
                h = FusedKernels.RmsNorm(h, _scale, 1e-6, ScalarType.Float32)!;
                h = FusedKernels.SwiGlu(h.mm(_w), h)!.index_select(0, _rows).gather(1, _columns);
            }

            Differentiation.Backward(h.sum());
            return [_w.grad!, _scale.grad!];
        }
    }
}
