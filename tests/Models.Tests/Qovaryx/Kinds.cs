using Hearth.Kernels;
using Hearth.Models.Blocks;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Qovaryx;

/// <summary>Feed-forward kinds and module kinds, and models of them with every path alive.</summary>
internal static class Kinds
{
    internal static readonly string[] All = ["swiglu", "ternary_swiglu", "lowrank_swiglu", "routed_lowrank_swiglu"];

    /// <summary>Every feed-forward kind with every kind of module.</summary>
    internal static TheoryData<string, string> Pairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (string ffn in All)
        {
            pairs.Add(ffn, "res");
            pairs.Add(ffn, "block");
        }

        return pairs;
    }

    internal static Decoder Tiny(string ffn, string mtp, ScalarType dtype = ScalarType.Float64) =>
        Awake(Small.Tiny(new { ffn_kind = ffn, mtp_kind = mtp, ffn_rank = 6 }, dtype));

    internal static Decoder Nano(string ffn, string mtp, ScalarType dtype) =>
        Awake((Decoder)Small.Plan(new { ffn_kind = ffn, mtp_kind = mtp }).Build(dtype, CPU, 3));

    internal static int[] Text(Tensor ids_BT) => [.. ids_BT.HostArray<long>().Select(i => (int)i)];

    private static Decoder Awake(Decoder model)
    {
        using var quiet = no_grad();
        foreach (var tensor in model.Plan.Tensors.Where(t => t.Name.EndsWith(".res", StringComparison.Ordinal)))
        {
            model.Weight(tensor.Name).normal_(0, 0.1);
        }

        return model;
    }
}
