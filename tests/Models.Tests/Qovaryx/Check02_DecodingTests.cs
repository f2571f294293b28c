using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Qovaryx;

public sealed class Check02_DecodingTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string, string> Pairs() => Kinds.Pairs();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Check_2_cached_decoding_equals_recomputation(string ffn, string mtp)
    {
        // Rounding turns a last bit into a code, so the ternary kind is held to its equality in fp64.
        bool rounds = ffn == "ternary_swiglu";
        var model = Kinds.Tiny(ffn, mtp, rounds ? ScalarType.Float64 : ScalarType.Float32);
        using var quiet = no_grad();
        var ids = Small.Ids(2, 60, 40);
        var full = model.Logits(ids);
        using var session = model.StartDecode();
        var parts = new List<Tensor> { session.Step(ids.narrow(1, 0, 9)) };
        for (int t = 9; t < 50; t++)
        {
            parts.Add(session.Step(ids.narrow(1, t, 1)));
        }

        parts.Add(session.Step(ids.narrow(1, 50, 10)));

        Assert.InRange(Small.Difference(full, cat(parts, 1)), 0, rounds ? 1e-9 : 1e-4);
    }

    [Fact]
    public void Check_2_grouped_heads_equal_plain_heads_with_repeated_weights()
    {
        var grouped = Small.Tiny(new { n_kv_head = 2, mtp_k = 1 });
        var plain = Small.Tiny(new { n_kv_head = 4, mtp_k = 1 });
        using var quiet = no_grad();
        foreach (var (name, weight) in grouped.NamedParameters)
        {
            bool keys = name.EndsWith(".k", StringComparison.Ordinal) || name.EndsWith(".v", StringComparison.Ordinal);
            plain.Weight(name).copy_(keys ? weight.view(2, 1, 4, 16).expand(2, 2, 4, 16).reshape(16, 16) : weight);
        }

        var ids = Small.Ids(2, 11, 40);
        Assert.InRange(Small.Difference(grouped.Logits(ids), plain.Logits(ids)), 0, 1e-13);
    }
}
