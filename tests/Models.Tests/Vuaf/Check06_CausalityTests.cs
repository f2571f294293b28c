using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Models.Vuaf;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

public sealed class Check06_CausalityTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_6_a_token_changes_no_logit_before_it_at_any_loop_step()
    {
        var model = VuafSmall.Tiny();
        var ids = Small.Ids(2, 20, 40);
        using var quiet = no_grad();
        var before = model.Steps(ids, 4);
        for (int at = 1; at < 20; at++)
        {
            var after = model.Steps(VuafSmall.Changed(ids, at), 4);
            foreach (var (a, b) in before.Zip(after))
            {
                Assert.InRange(Small.Difference(a.Logits_BTV.narrow(1, 0, at), b.Logits_BTV.narrow(1, 0, at)), 0, 1e-9);
                Assert.InRange(Small.Difference(a.Logits_BTV.narrow(1, at, 1), b.Logits_BTV.narrow(1, at, 1)), 1e-6, double.MaxValue);
            }

            // The other row of the batch shares the experts.
            Assert.InRange(Small.Difference(before[3].Logits_BTV.select(0, 1), after[3].Logits_BTV.select(0, 1)), 0, 1e-9);
        }
    }

    [Fact]
    public void Check_6_a_token_that_takes_another_expert_moves_no_other_token()
    {
        var config = new VuafMoeConfig(16, 24, 4, 1);
        var weights = VuafSmall.Drawn(w => config.Build(w));
        var mixture = config.Build(Weights.Of(name => weights[name]));
        var x_BTD = empty([1, 9, 16], float64).normal_();
        long[] Chosen(Tensor x) => Experts.Route(nn.functional.linear(x.view(-1, 16), weights["router.weight"]), 1).Experts_NK.HostArray<long>();
        long[] chosen = Chosen(x_BTD);
        var outputs = mixture.Forward(x_BTD, VuafSmall.Context);
        var changed = x_BTD.clone();
        changed.narrow(1, 4, 1).copy_(x_BTD.narrow(1, 4, 1) * -1.0);

        var after = mixture.Forward(changed, VuafSmall.Context);

        Assert.NotEqual(chosen[4], Chosen(changed)[4]);
        Assert.InRange(Small.Difference(outputs.narrow(1, 0, 4), after.narrow(1, 0, 4)), 0, 1e-12);
        Assert.InRange(Small.Difference(outputs.narrow(1, 5, 4), after.narrow(1, 5, 4)), 0, 1e-12);
        Assert.InRange(Small.Difference(outputs.narrow(1, 4, 1), after.narrow(1, 4, 1)), 1e-3, double.MaxValue);
    }

    [Fact]
    public void Check_6_the_norm_over_the_sequence_lets_later_tokens_change_earlier_logits()
    {
        var model = VuafSmall.Tiny(new { rwkv_norm = "sequence" });
        var ids = Small.Ids(1, 20, 40);
        using var quiet = no_grad();

        Assert.InRange(Small.Difference(model.Logits(ids).narrow(1, 0, 15), model.Logits(VuafSmall.Changed(ids, 15)).narrow(1, 0, 15)), 1e-3, double.MaxValue);
    }
}
