using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Runs;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Plans, models and token ids that tests share.</summary>
internal static class Small
{
    /// <summary>A plan of a size with overrides given as an anonymous object; fails on any error.</summary>
    internal static ModelPlan Plan(object? overrides = null, string size = "nano", string family = "qovaryx")
    {
        var errors = new List<FieldError>();
        var plan = Families.Plan(Model(overrides, size, family), errors);
        return plan ?? throw new InvalidOperationException(string.Join(" ", errors.Select(e => e.Message)));
    }

    internal static ModelSpec Model(object? overrides = null, string size = "nano", string family = "qovaryx") => new()
    {
        Family = family,
        Size = size,
        Overrides = JsonSerializer.SerializeToElement(overrides ?? new { }).EnumerateObject().ToDictionary(p => p.Name, p => p.Value),
    };

    /// <summary>A model that is quick even in fp64: width 16, two layers, 40 tokens.</summary>
    internal static Decoder Tiny(object? overrides = null, ScalarType dtype = ScalarType.Float64, ScalarType? compute = null, long seed = 1)
    {
        var all = JsonSerializer.SerializeToElement(new { vocab_size = 40, d_model = 16, n_head = 4, n_kv_head = 2, d_ff = 24, max_seq_len = 64 })
            .EnumerateObject().ToDictionary(p => p.Name, p => p.Value);
        foreach (var (name, value) in Model(overrides).Overrides)
        {
            all[name] = value;
        }

        var model = (Decoder)Plan(all).Build(dtype, CPU, seed, compute);
        using var quiet = no_grad();
        if (model.Plan.Tensors.Any(t => t.Name == "mtp.1.res"))
        {
            // Zero at the start; the tests want its path alive.
            model.Weight("mtp.1.res").normal_(0, 0.3);
        }

        return model;
    }

    internal static Tensor Ids(int rows, int length, int vocabulary, int seed = 7) =>
        tensor(Draw(rows * length, vocabulary, seed), rows, length);

    internal static long[] Draw(int count, int vocabulary, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(vocabulary))];
    }

    internal static double Difference(Tensor a, Tensor b)
    {
        double[] x = a.HostArray<double>(), y = b.HostArray<double>();
        Assert.Equal(a.shape, b.shape);
        return x.Zip(y, (p, q) => Math.Abs(p - q)).DefaultIfEmpty(0).Max();
    }
}
