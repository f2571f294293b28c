using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Models.Decoding;
using Hearth.Models.Positronic;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>Check 11: what a changed token reaches, trait by trait. Experts are off where bits are compared: they regroup rows.</summary>
public sealed class Check11_CausalityTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly IDisposable _quiet = no_grad();

    public void Dispose()
    {
        _quiet.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Check_11_a_token_changes_no_logit_before_it(bool derfAndXsa)
    {
        var model = Nano.Open(new { use_moe = false, use_derf = derfAndXsa, use_xsa = derfAndXsa });
        long[] ids = Nano.Ids(1, 40).HostArray<long>();
        var (before, headsBefore) = (model.Logits(tensor(ids, 1, 40)), model.MtpLogits(tensor(ids, 1, 40)));
        foreach (int at in (int[])[1, 15, 16, 31, 39])
        {
            long[] other = [.. ids];
            other[at] = (other[at] + 7) % 512;
            var changed = tensor(other, 1, 40);
            var (after, headsAfter) = (model.Logits(changed), model.MtpLogits(changed));

            // A product's last bits may hang on where its operands lie in memory: n·u of a few hundred terms in fp64, times the layers.
            Assert.InRange(Nano.Changed(before.narrow(1, 0, at), after.narrow(1, 0, at)), 0, 1e-12);
            Assert.InRange(Nano.Changed(headsBefore.narrow(2, 0, at), headsAfter.narrow(2, 0, at)), 0, 1e-12);
            Assert.InRange(Nano.Changed(before.select(1, at), after.select(1, at)), 1e-9, double.PositiveInfinity);
        }
    }

    [Fact]
    public void Check_11_with_experts_a_token_changes_no_logit_before_it_beyond_rounding()
    {
        var model = Nano.Open();
        long[] ids = Nano.Ids(1, 40).HostArray<long>();
        var before = model.Logits(tensor(ids, 1, 40));
        ids[25] = (ids[25] + 7) % 512;

        Assert.InRange(Nano.Changed(before.narrow(1, 0, 25), model.Logits(tensor(ids, 1, 40)).narrow(1, 0, 25)), 0, 1e-9);
    }

    [Fact]
    public void Check_11_phase_attention_reaches_every_later_token_and_none_before()
    {
        var attention = new PhaseAttention(new PositronicConfig { PhaseDim = 16, PhaseHeads = 2 }, 0, Weights.Of(Nano.Open().Weight, "layers.0.slot0"));
        manual_seed(2);
        var phases = empty([1, 9, 12], float64).normal_();
        var changed = phases.clone();
        changed.narrow(1, 4, 1).normal_();

        var pass = new ForwardContext(0, float64, new RopeTables(float64, CPU));
        var (before, after) = (attention.Forward(phases, pass), attention.Forward(changed, pass));

        for (int t = 0; t < 9; t++)
        {
            double difference = Nano.Changed(before.select(1, t), after.select(1, t));
            Assert.True(t < 4 ? difference == 0 : difference > 0, $"token {t}: {difference}");
        }
    }

    [Fact]
    public void Check_11_a_hashed_window_reaches_two_tokens_back_and_no_further()
    {
        var codes = new EngramCodes(512, 3, 2, 64);
        long[] ids = Small.Draw(12, 512, 8), other = [.. ids];
        other[5] = (other[5] + 100) % 512;
        long[] before = new long[12 * 6], after = new long[12 * 6];
        codes.Rows_TK(ids, 12, before);
        codes.Rows_TK(other, 12, after);

        for (int t = 0; t < 12; t++)
        {
            bool same = before.AsSpan(t * 6, 6).SequenceEqual(after.AsSpan(t * 6, 6));
            Assert.Equal(t is < 5 or > 7, same);
        }
    }

    [Fact]
    public void Check_11_specialists_reach_later_chunks_only()
    {
        var config = new PositronicConfig { DModel = 64, Rings = [2, 4, 8], SpecPerRing = 3, SpecDim = 8, MemChunk = 16 };
        var specialists = new RingSpecialists(config, Weights.Of(Nano.Open().Weight, "layers.0"));
        manual_seed(2);
        var x = empty([1, 48, 64], float64).normal_();
        var changed = x.clone();
        changed.narrow(1, 20, 1).normal_();

        var (before, after) = (Read(x), Read(changed));

        for (int t = 0; t < 48; t++)
        {
            // Its own read moves with its address; its write is seen from the next chunk on.
            double difference = Nano.Changed(before.select(1, t), after.select(1, t));
            Assert.True(t == 20 || t >= 32 ? difference > 0 : difference == 0, $"token {t}: {difference}");
        }

        Tensor Read(Tensor input) => cat(specialists.Forward(input, RingMemory.Empty(1, config, float64, CPU), 0, true, (float64, float64)).Currents, -1);
    }

    [Fact]
    public void A_row_alone_is_the_row_in_a_batch()
    {
        var model = Nano.Open();
        var ids = Nano.Ids(3, 33);

        Assert.InRange(Nano.Changed(model.Logits(ids).narrow(0, 1, 1), model.Logits(ids.narrow(0, 1, 1))), 0, 1e-10);
    }

    [Fact]
    public void A_cache_cut_short_goes_on_as_if_it_had_never_been_longer()
    {
        using var cache = new DecodeCache();
        var rows = arange(0, 12, float64).view(1, 1, 6, 2);
        cache.Extend(this, rows, rows);
        cache.Truncate(4);

        var (keys, values) = cache.Extend(this, rows.narrow(2, 0, 1), rows.narrow(2, 1, 1));

        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 0, 1], keys.HostArray<double>());
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 2, 3], values.HostArray<double>());
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(6));
    }
}
