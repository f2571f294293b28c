using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Decoding;
using Hearth.Models.Vuaf;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

/// <summary>Acceptance check 4: early exit gives what full depth would have given, token by token.</summary>
public sealed class Check04_ExitTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<double, int, int, bool> Ways()
    {
        var data = new TheoryData<double, int, int, bool>();
        foreach (double threshold in new[] { 0.3, 0.5, 0.9 })
        {
            foreach (int batch in new[] { 1, 3 })
            {
                data.Add(threshold, batch, 256, false);
                data.Add(threshold, batch, 5, true);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void Check_4_each_token_has_the_logits_of_full_depth_at_its_exit_step_and_a_flush_its_states(double threshold, int batch, int queue, bool lazy)
    {
        var model = VuafSmall.Deciding(threshold);
        var ids = Small.Ids(batch, 90, 40);
        using var quiet = no_grad();
        var full = model.Steps(ids, 4);
        double allowed = VuafSmall.Rounding(model, ids);
        using var session = (ExitSession)model.StartDecode(new ExitOptions(threshold, QueueRows: queue, LazyPrefill: lazy));
        var seen = new HashSet<int>();

        // A prompt, single tokens, a second block while rows wait, and single tokens again.
        int at = 0;
        foreach (int rows in (int[])[9, .. Enumerable.Repeat(1, 40), 12, .. Enumerable.Repeat(1, 25)])
        {
            var logits = session.Emit(ids.narrow(1, at, rows));
            at += rows;
            for (int b = 0; b < batch; b++)
            {
                int step = session.LoopSteps[b];
                seen.Add(step);
                Assert.Equal(Exit(full, b, at - 1, threshold), step);
                Assert.InRange(Small.Difference(full[step].Logits_BTV.select(0, b).select(0, at - 1), logits.select(0, b)), 0, allowed);
            }
        }

        Assert.Equal([0, 1, 2, 3], seen.Order());
        session.CatchUp();
        using var deep = (ExitSession)model.StartDecode();
        deep.Step(ids.narrow(1, 0, at));
        SameStates(deep, session, allowed);
        Assert.InRange(Small.Difference(full[3].Logits_BTV.narrow(1, at, 4), session.Step(ids.narrow(1, at, 4))), 0, allowed);
    }

    [Theory]
    [InlineData(VuafConfig.Rwkv)]
    [InlineData(VuafConfig.Mamba)]
    [InlineData(VuafConfig.Attention)]
    public void Check_4_rows_that_only_catch_up_move_the_state_and_have_no_output(string mixer)
    {
        VuafMixerConfig config = mixer switch
        {
            VuafConfig.Rwkv => new RwkvMixerConfig(16, 8, 4, SequenceNorm: false, SpreadDecay: false),
            VuafConfig.Mamba => new MambaMixerConfig(16, 32, 8, 4, 16, FloorDecay: false),
            _ => new VuafAttentionConfig(16, 8, 10_000),
        };
        var weights = VuafSmall.Drawn(w => config.Build(w));
        var built = config.Build(Weights.Of(name => weights[name]));
        var x_BTD = empty([2, 13, 16], float64).normal_();
        using DecodeCache whole = new(), parts = new();
        var full = built.Forward(x_BTD, VuafSmall.Context with { Past = whole });

        built.Forward(x_BTD.narrow(1, 0, 5), VuafSmall.Context with { Past = parts }, read: 1);
        var last = built.Forward(x_BTD.narrow(1, 5, 8), VuafSmall.Context with { Past = parts, Offset = 5 }, read: 3);

        Assert.Equal([2L, 3, 16], last.shape);
        Assert.InRange(Small.Difference(full.narrow(1, 10, 3), last), 0, 1e-12);
        Assert.Equal(whole.Tensors.Count(), parts.Tensors.Count());
        Assert.All(whole.Tensors.Zip(parts.Tensors), pair => Assert.InRange(Small.Difference(pair.First, pair.Second), 0, 1e-12));
    }

    [Fact]
    public void Check_4_no_queue_stays_longer_than_the_limit()
    {
        // Every token stops at once, so that rows only ever wait.
        var model = VuafSmall.Tiny();
        using var quiet = no_grad();
        model.Weight("halt_head.proj.bias").fill_(1000);
        using var session = (ExitSession)model.StartDecode(new ExitOptions(QueueRows: 5));
        var ids = Small.Ids(1, 30, 40);
        for (int t = 0; t < 30; t++)
        {
            session.Emit(ids.narrow(1, t, 1));
            Assert.Equal([0], session.LoopSteps);
            long[] waiting = [.. Enumerable.Range(1, 3).Select(r => session.Seen[r] - session.Seen[r + 1])];
            Assert.All(waiting, rows => Assert.InRange(rows, 0, 5));
            Assert.Equal(t + 1, session.Seen[1]);
        }
    }

    [Fact]
    public void Check_4_the_cumulative_rule_stops_when_the_mass_is_reached()
    {
        var model = VuafSmall.Deciding();
        var ids = Small.Ids(1, 40, 40);
        using var quiet = no_grad();
        var full = model.Steps(ids, 4);
        using var session = model.StartDecode(new ExitOptions(0.6, ExitRule.Cumulative));
        for (int t = 0; t < 40; t++)
        {
            session.Emit(ids.narrow(1, t, 1));
            double left = 1;
            int expected = 0;
            while (expected < 3 && 1 - (left *= 1 - Halt(full, 0, t, expected)) < 0.6)
            {
                expected++;
            }

            Assert.Equal(expected, session.LoopSteps[0]);
        }
    }

    [Fact]
    public void A_cumulative_threshold_of_one_never_stops_early_even_when_a_halt_is_saturated()
    {
        var model = VuafSmall.Tiny();
        using var quiet = no_grad();
        model.Weight("halt_head.proj.bias").fill_(1000);
        using var session = model.StartDecode(new ExitOptions(1, ExitRule.Cumulative));

        session.Emit(Small.Ids(1, 5, 40));

        Assert.Equal([3], session.LoopSteps);
    }

    [Fact]
    public void The_norm_over_the_sequence_stops_by_the_same_rule()
    {
        var model = VuafSmall.Like(VuafSmall.Deciding(), new { rwkv_norm = "sequence" });
        var ids = Small.Ids(1, 30, 40);
        using var quiet = no_grad();
        using var session = model.StartDecode(new ExitOptions());
        for (int t = 0; t < 30; t++)
        {
            var logits = session.Emit(ids.narrow(1, t, 1));
            var full = model.Steps(ids.narrow(1, 0, t + 1), 4);
            Assert.Equal(Exit(full, 0, t, 0.5), session.LoopSteps[0]);
            Assert.InRange(Small.Difference(full[session.LoopSteps[0]].Logits_BTV.select(1, t), logits), 0, 1e-12);
        }
    }

    [Fact]
    public void Generated_tokens_come_with_their_loop_steps_and_nothing_stays_behind()
    {
        var model = VuafSmall.Deciding();
        int[] plain = [.. Sampler.Generate(model, [1, 2, 3], 30, new Sampling(Exit: new ExitOptions()))];
        long before = LiveTensors.Settled();

        var text = Sampler.GenerateSteps(model, [1, 2, 3], 30, new Sampling(Exit: new ExitOptions())).ToArray();

        Assert.Equal(before, Tensor.TotalCount);
        Assert.Equal(plain, text.Select(t => t.Token));
        Assert.True(text.Select(t => t.LoopStep).Distinct().Count() > 1);
        Assert.All(Sampler.GenerateSteps(model, [1, 2, 3], 3, new Sampling()), t => Assert.Null(t.LoopStep));
    }

    private static void SameStates(ExitSession expected, ExitSession got, double allowed)
    {
        foreach (var (a, b) in expected.Past.Zip(got.Past))
        {
            Tensor[] wanted = [.. a.Tensors], held = [.. b.Tensors];
            Assert.Equal(wanted.Length, held.Length);
            Assert.All(wanted.Zip(held), pair => Assert.InRange(Small.Difference(pair.First, pair.Second), 0, allowed));
        }
    }

    private static int Exit(IReadOnlyList<(Tensor Logits_BTV, Tensor? Halt_BT)> full, int row, int at, double threshold)
    {
        int step = 0;
        while (step < full.Count - 1 && Halt(full, row, at, step) < threshold)
        {
            step++;
        }

        return step;
    }

    private static double Halt(IReadOnlyList<(Tensor Logits_BTV, Tensor? Halt_BT)> full, int row, int at, int step) =>
        full[step].Halt_BT!.sigmoid().select(0, row).select(0, at).Number();
}
