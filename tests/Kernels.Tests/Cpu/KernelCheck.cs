using Hearth.Kernels.Door;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>
/// Holds a kernel against its naive twin: outputs and the gradient of every input. The twin computes in fp64 from the same numbers, so
/// that what differs is the kernel's own rounding.
/// </summary>
internal static class KernelCheck
{
    /// <summary>Unit roundoff.</summary>
    internal static double Roundoff(ScalarType type) => type == ScalarType.Float32 ? Math.ScaleB(1, -24) : Math.ScaleB(1, -53);

    /// <summary>Normal numbers, the same for a seed in either type.</summary>
    internal static Tensor Normal(int seed, ScalarType type, params long[] shape)
    {
        var random = new Random(seed);
        long count = shape.Aggregate(1L, (product, size) => product * size);
        double[] values = new double[count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        // A copy: a tensor over a managed array lies wherever that does, and libtorch's products round by how their operands are aligned.
        return tensor(values, shape).to(type).clone();
    }

    /// <summary>Runs both and compares; then runs the kernel again, on one and on two threads, for the same bits.</summary>
    /// <param name="inputs">Leaves of the kernel's type.</param>
    /// <param name="kernel">Its outputs.</param>
    /// <param name="twin">The same outputs in plain operators.</param>
    /// <param name="growth">How many roundoffs of the largest value an output or gradient may be off.</param>
    /// <param name="acrossThreads">Whether one thread and two give the same bits; products of libtorch do not.</param>
    internal static void Compare(Tensor[] inputs, Func<Tensor[], Tensor[]> kernel, Func<Tensor[], Tensor[]> twin, double growth, bool acrossThreads = true)
    {
        using var scope = NewDisposeScope();
        var type = inputs[0].dtype;
        var truth = Run([.. inputs.Select(i => i.to(ScalarType.Float64))], twin);
        int threads = get_num_threads();
        try
        {
            set_num_threads(1);
            var found = Run(inputs, kernel);
            Assert.Equal(truth.Length, found.Length);
            for (int i = 0; i < truth.Length; i++)
            {
                double scale = Math.Max(truth[i].abs().max().item<double>(), 1e-3);
                double error = (found[i].to(ScalarType.Float64) - truth[i]).abs().max().item<double>();
                Assert.True(error <= growth * Roundoff(type) * scale, $"result {i} of {truth.Length} is off by {error / Roundoff(type) / scale:0.0} roundoffs of its largest value, {growth:0.0} are allowed");
                Assert.Equal(type, found[i].dtype);
            }

            SameBits(found, Run(inputs, kernel), "at the second time");
            set_num_threads(2);
            var two = Run(inputs, kernel);
            if (acrossThreads)
            {
                SameBits(found, two, "on two threads");
            }

            SameBits(two, Run(inputs, kernel), "at the second time on two threads");
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    /// <summary>Outputs, and the gradients of all inputs when every output is weighed by numbers of its own.</summary>
    private static Tensor[] Run(Tensor[] inputs, Func<Tensor[], Tensor[]> function)
    {
        Tensor[] leaves = [.. inputs.Select(i => i.detach().clone().requires_grad_())];
        Poison(inputs);
        var outputs = function(leaves);
        var weights = outputs.Select((y, i) => Normal(100 + i, y.dtype, y.shape)).ToArray();
        Poison(inputs);
        Hearth.Kernels.Differentiation.Backward(outputs, weights);
        return [.. outputs.Select(y => y.detach()), .. leaves.Select(l => l.grad!)];
    }

    /// <summary>
    /// Leaves NaN in memory of the sizes that come next: libtorch takes it from malloc, which hands out what was freed last, so that an
    /// element that a kernel forgets to write is seen.
    /// </summary>
    private static unsafe void Poison(Tensor[] inputs)
    {
        var full = inputs.SelectMany(i => Enumerable.Repeat(i, 4)).Select(i => empty(i.shape, i.dtype)).ToArray();
        foreach (var tensor in full)
        {
            new Span<byte>(Memory.Pointer<byte>(tensor), (int)(tensor.numel() * tensor.ElementSize)).Fill(0xFF);
        }

        foreach (var tensor in full)
        {
            tensor.Dispose();
        }
    }

    private static void SameBits(Tensor[] a, Tensor[] b, string what)
    {
        for (int i = 0; i < a.Length; i++)
        {
            Assert.True(Bytes(a[i]).AsSpan().SequenceEqual(Bytes(b[i])), $"result {i} of {a.Length} has other bits, {(a[i] - b[i]).abs().max().to(ScalarType.Float64).item<double>()} apart, {what}");
        }
    }

    private static byte[] Bytes(Tensor tensor)
    {
        using var own = tensor.contiguous();
        return own.bytes.ToArray();
    }
}
