using Hearth.Kernels;
using Hearth.Kernels.Checks;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class ExactnessTests
{
    [Fact]
    public void What_a_card_is_asked_holds_on_the_processor()
    {
        Assert.All(ExactnessChecks.Of(CPU), check =>
        {
            using var scope = NewDisposeScope();
            Assert.Equal((check.Name, 0.0), (check.Name, check.Difference()));
        });
        Assert.False(Determinism.IsStrict);
    }

    [Fact]
    public void A_processor_has_no_kernels_of_a_card_to_check() => Assert.Empty(KernelChecks.Of(CPU));

    [Fact]
    public void Attention_of_grouped_heads_equals_attention_of_repeated_ones()
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var (q, k, v) = (randn([2, 6, 9, 8]), randn([2, 2, 9, 8]), randn([2, 2, 9, 8]));

        var grouped = Attention.Of(q, k, v, causal: true, scale: 0.3);

        var repeated = Attention.Of(q, Attention.Repeat(k, 6), Attention.Repeat(v, 6), causal: true, scale: 0.3);
        Assert.True((grouped - repeated).abs().max().item<float>() < 1e-6);
        var mask = full([9, 9], double.NegativeInfinity).triu(1);
        Assert.True((grouped - Attention.Of(q, k, v, mask, scale: 0.3)).abs().max().item<float>() < 1e-5);
    }
}
