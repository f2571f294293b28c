using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Qovaryx;

public sealed class Check03_FurtherTokenTests : IDisposable
{
    private const int Length = 14;
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string, string> Pairs() => Kinds.Pairs();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_3_module_k_has_a_target_at_all_but_the_last_k_plus_one_rows()
    {
        var model = Kinds.Tiny("swiglu", "res");
        var ids = Small.Ids(3, Length, 40);
        var totals = model.Count(Kinds.Text(ids), Length);
        for (int k = 0; k <= 3; k++)
        {
            Assert.Equal(3 * (Length - k - 1), totals.Counts[k]);
        }

        // By hand from the logits: the rows that count, and no others.
        var sums = model.Loss(ids, ids, totals).Terms.Select(t => t.Sum).ToArray();
        using var quiet = no_grad();
        var logits = model.MtpLogits(ids);
        for (int k = 1; k <= 3; k++)
        {
            int rows = Length - k - 1;
            Assert.Equal(rows + 1, logits[k - 1].size(1));
            var logp = logits[k - 1].narrow(1, 0, rows).log_softmax(-1).gather(2, ids.narrow(1, k + 1, rows).unsqueeze(2));
            Assert.Equal(-logp.sum().Number(), sums[k].Number(), 1e-10);
        }
    }

    [Fact]
    public void Check_3_modules_that_pass_the_state_on_give_the_main_heads_logits()
    {
        // W_res = 0, proj = [I 0], norms 1: each module norms its input once more, which without ε changes nothing.
        var model = Small.Tiny(new { norm_eps = 1e-12 });
        using var quiet = no_grad();
        for (int k = 1; k <= 3; k++)
        {
            model.Weight($"mtp.{k}.res").zero_();
            model.Weight($"mtp.{k}.proj").zero_();
            model.Weight($"mtp.{k}.proj").narrow(1, 0, 16).copy_(Identity(16));
        }

        var ids = Small.Ids(2, Length, 40);
        var main = model.Logits(ids);
        foreach (var (logits, index) in model.MtpLogits(ids).Select((l, i) => (l, i)))
        {
            Assert.InRange(Small.Difference(main.narrow(1, 0, Length - index - 1), logits), 0, 1e-8);
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Check_3_a_token_changes_no_prediction_from_before_it(string ffn, string mtp)
    {
        // Experts see other numbers of rows, which may move a product's last bits.
        double allowed = ffn == "routed_lowrank_swiglu" ? 1e-5 : 0;
        var model = Kinds.Tiny(ffn, mtp, ScalarType.Float32);
        using var quiet = no_grad();
        var ids = Small.Ids(1, Length, 40);
        var before = model.MtpLogits(ids);
        for (int at = 2; at < Length; at += 3)
        {
            long[] other = ids.HostArray<long>();
            other[at] = (other[at] + 1) % 40;
            var after = model.MtpLogits(tensor(other, 1, Length));
            for (int k = 1; k <= 3 && k < at; k++)
            {
                // Row t of module k reads tokens up to t + k.
                int rows = at - k;
                Assert.InRange(Small.Difference(before[k - 1].narrow(1, 0, rows), after[k - 1].narrow(1, 0, rows)), 0, allowed);
                Assert.True(Small.Difference(before[k - 1].select(1, rows), after[k - 1].select(1, rows)) > 1e-4);
            }
        }
    }

    private static Tensor Identity(int size) =>
        tensor([.. Enumerable.Range(0, size * size).Select(i => i / size == i % size ? 1.0 : 0)], size, size);
}
