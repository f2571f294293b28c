using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Vuaf;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

/// <summary>Cached decoding under the norm per token, and the norm over the sequence against its definition.</summary>
public sealed class Check03_DecodingTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_3_decoding_at_full_depth_equals_the_full_forward_for_64_tokens()
    {
        var model = VuafSmall.Tiny();
        var ids = Small.Ids(2, 80, 40);
        using var quiet = no_grad();
        var full = model.Logits(ids);
        using var session = model.StartDecode();

        var parts = new List<Tensor> { session.Step(ids.narrow(1, 0, 9)) };
        for (int t = 9; t < 73; t++)
        {
            parts.Add(session.Step(ids.narrow(1, t, 1)));
        }

        parts.Add(session.Step(ids.narrow(1, 73, 7)));
        var cached = cat(parts, 1);

        Assert.InRange(Small.Difference(full, cached), 0, 1e-9);
        Assert.Equal(full.argmax(-1).HostArray<long>(), cached.argmax(-1).HostArray<long>());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Check_3_the_mixer_is_its_equations_with_a_group_norm_over_channels_and_with_sequence_over_time_too(bool sequence)
    {
        const int time = 11, width = 16, head = 8;
        var config = new RwkvMixerConfig(width, head, 4, sequence, SpreadDecay: false);
        var weights = VuafSmall.Drawn(w => config.Build(w));
        var x_BTD = empty([1, time, width], float64).normal_();

        double[] got = config.Build(Weights.Of(name => weights[name])).Forward(x_BTD, VuafSmall.Context).HostArray<double>();

        double[][] expected = new PlainRwkv(name => weights[name].HostArray<double>(), width, head).Forward([.. x_BTD.HostArray<double>().Chunk(width)], sequence);
        Assert.All(expected.SelectMany(row => row).Zip(got), pair => Assert.Equal(pair.First, pair.Second, 1e-11));
    }

    [Fact]
    public void Check_3_decoding_under_the_norm_over_the_sequence_runs_the_text_again()
    {
        var model = VuafSmall.Tiny(new { rwkv_norm = "sequence" });
        var ids = Small.Ids(1, 12, 40);
        using var quiet = no_grad();
        using var session = model.StartDecode(new ExitOptions());
        session.Step(ids.narrow(1, 0, 7));

        var last = session.Step(ids.narrow(1, 7, 5));

        Assert.InRange(Small.Difference(model.Logits(ids).narrow(1, 7, 5), last), 0, 1e-12);
    }

    [Fact]
    public void A_row_alone_is_the_row_in_a_batch()
    {
        var model = VuafSmall.Tiny();
        var ids = Small.Ids(3, 17, 40);
        using var quiet = no_grad();

        Assert.InRange(Small.Difference(model.Logits(ids).narrow(0, 1, 1), model.Logits(ids.narrow(0, 1, 1))), 0, 1e-9);
    }
}
