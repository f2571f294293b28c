using static TorchSharp.torch;

namespace Hearth.Kernels.Checks;

/// <summary>Recorded work against launched work, and what is left of the device after a recording that failed.</summary>
internal static class RecordingChecks
{
    internal static IEnumerable<KernelCheck> Of(Device device)
    {
        yield return new KernelCheck("recorded work gives the bits of launched work", () => new Recorded(device).AgainstLaunched());
        yield return new KernelCheck("recorded work reads what was copied into its inputs", () => new Recorded(device).WithOtherInput());
        yield return new KernelCheck("recorded random numbers go on from replay to replay", () => Random(device));
        yield return new KernelCheck("after work that cannot be recorded the device works as before", () => AfterFailure(device));
    }

    // The same seed must give the same numbers, recorded or launched, one run after another.
    private static double Random(Device device)
    {
        var x = zeros([1000], ScalarType.Float32, device);
        Tensor[] Draws(Action draw)
        {
            manual_seed(11);
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

    /// <summary>Forward and backward of products and kernels of ours.</summary>
    private sealed class Recorded
    {
        private readonly Device _device;
        private readonly Tensor _x;
        private readonly Tensor _w;
        private readonly Tensor _scale;

        internal Recorded(Device device)
        {
            Tensor[] inputs = Comparison.Inputs(device, [64, 256], [256, 256], [256]);
            (_device, _x, _w, _scale) = (device, inputs[0], inputs[1].requires_grad_(), inputs[2].requires_grad_());
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
                h = FusedKernels.SwiGlu(h.mm(_w), h)!;
            }

            Differentiation.Backward(h.sum());
            return [_w.grad!, _scale.grad!];
        }
    }
}
