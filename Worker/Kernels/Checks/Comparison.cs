using static TorchSharp.torch;

namespace Hearth.Kernels.Checks;

/// <summary>Runs of a function on the same inputs, with all their gradients.</summary>
internal static class Comparison
{
    /// <summary>Random inputs in fp32 on the CPU's generator, so that every device gets the same.</summary>
    internal static Tensor[] Inputs(Device device, params long[][] shapes)
    {
        manual_seed(7);
        return [.. shapes.Select(shape => randn(shape).to(device))];
    }

    /// <summary>Outputs of a function, then the gradient of each input, for a loss that weighs every element differently.</summary>
    internal static Tensor[] WithGradients(Tensor[] inputs, Func<Tensor[], Tensor[]> function)
    {
        Tensor[] leaves = [.. inputs.Select(x => x.detach().clone().requires_grad_())];
        Tensor[] outputs = function(leaves);
        var loss = zeros([], ScalarType.Float32, inputs[0].device);
        foreach (var y in outputs)
        {
            loss += (y.to(ScalarType.Float32) * arange(0, y.numel(), ScalarType.Float32, y.device).view(y.shape).cos()).sum();
        }

        Differentiation.Backward(loss);
        return [.. outputs.Select(y => y.detach()), .. leaves.Select(leaf => leaf.grad ?? zeros_like(leaf))];
    }

    /// <summary>What a function gives while only exact algorithms are allowed.</summary>
    internal static double Strictly(Func<double> function)
    {
        bool before = Determinism.IsStrict;
        Determinism.Set(strict: true);
        try
        {
            return function();
        }
        finally
        {
            Determinism.Set(before);
        }
    }

    /// <summary>The largest |a − b| / (1 + |b|); infinite where one of them is no number.</summary>
    internal static double Largest(Tensor[] found, Tensor[] expected) => found.Zip(expected, (a, b) =>
    {
        if (a.numel() == 0)
        {
            return 0;
        }

        var (x, y) = (a.to(ScalarType.Float64), b.to(ScalarType.Float64));
        double largest = ((x - y).abs() / (y.abs() + 1)).max().item<double>();
        return double.IsNaN(largest) ? double.PositiveInfinity : largest;
    }).Max();

    /// <summary>As <see cref="Largest"/>, but each result's differences are relative to its own largest value: an element that terms cancel to has their rounding.</summary>
    internal static double LargestOfScale(Tensor[] found, Tensor[] expected) => found.Zip(expected, (a, b) =>
    {
        var (x, y) = (a.to(ScalarType.Float64), b.to(ScalarType.Float64));
        double largest = (x - y).abs().max().item<double>() / Math.Max(y.abs().max().item<double>(), RoundingBounds.SmallestScale);
        return double.IsNaN(largest) ? double.PositiveInfinity : largest;
    }).Max();

    /// <summary>0 where all bits are equal, else what differs most, and never 0.</summary>
    internal static double Bits(Tensor[] found, Tensor[] expected) => found.Zip(expected, (a, b) => a.eq(b).all().item<bool>()).All(same => same) ? 0 : Largest(found, expected) + double.Epsilon;
}
