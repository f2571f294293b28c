using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>Check 2: at the start every trait changes no bit, and every trait learns.</summary>
public sealed class Check02_NoOpTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string, ScalarType> Traits()
    {
        var data = new TheoryData<string, ScalarType>();
        foreach (string flag in Nano.Flags)
        {
            data.Add(flag, ScalarType.Float32);
            data.Add(flag, ScalarType.Float64);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Traits))]
    public void Check_2_a_trait_switched_off_changes_no_bit_of_a_fresh_model(string flag, ScalarType dtype)
    {
        using var quiet = no_grad();
        var ids = Nano.Ids(2, 40);

        var with = Nano.Fresh(dtype: dtype).Logits(ids);
        var without = Nano.Fresh(new Dictionary<string, bool> { [flag] = false }, dtype).Logits(ids);

        Assert.Equal(0.0, Nano.Changed(with, without));
    }

    [Theory]
    [InlineData("layers.0.osc.fractal_gate")]
    [InlineData("layers.1.slot0.gate")]
    [InlineData("layers.1.slot0.q")]
    [InlineData("layers.1.slot0.o")]
    [InlineData("layers.0.slot1.gate")]
    [InlineData("layers.0.slot1.tables")]
    [InlineData("layers.0.slot1.proj")]
    [InlineData("layers.0.slot1.ctx")]
    [InlineData("layers.0.spec2.scale")]
    [InlineData("layers.0.spec2.decode")]
    [InlineData("layers.0.spec2.query")]
    [InlineData("layers.0.spec2.content")]
    [InlineData("layers.0.spec2.write_gate")]
    [InlineData("layers.0.spec2.keys")]
    [InlineData("controller.0.decode")]
    [InlineData("hrm.up")]
    [InlineData("moe.shared.down")]
    [InlineData("mtp.4")]
    [InlineData("jepa.fc1")]
    [InlineData("jepa.fc2")]
    public void Check_2_every_trait_of_a_fresh_model_has_a_gradient(string name)
    {
        // Longer than a memory chunk, or the specialists' stores are still empty.
        var model = Nano.Fresh();
        Nano.Train(model, Nano.Ids(2, 40)).Loss.Total.backward();

        Assert.True(Nano.GradNorm(model, name) > 0, $"{name} has no gradient");
    }

    [Fact]
    public void Check_2_every_routed_expert_of_a_fresh_model_has_a_gradient_at_its_zero_matrix()
    {
        var model = Nano.Fresh();
        Nano.Train(model, Nano.Ids(4, 60)).Loss.Total.backward();

        Assert.All(Enumerable.Range(0, 4), e => Assert.True(Nano.GradNorm(model, $"moe.expert{e}.down") > 0));
    }

    [Fact]
    public void Check_2_a_controllers_injection_row_waits_for_an_open_gate()
    {
        var model = Nano.Fresh();
        Nano.Train(model, Nano.Ids(2, 40)).Loss.Total.backward();

        var rows = model.Weight("controller.1.decode").grad!;
        Assert.Equal(0.0, rows.select(0, 3).pow(2).sum().Number());
        Assert.NotEqual(0.0, rows.select(0, 0).pow(2).sum().Number());
    }
}
