using Hearth.Models;
using Hearth.Models.Vuaf;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Acceptance check 4: early exit gives what full depth would have given, token by token.</summary>
public sealed class VuafExitTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(0.3, 1, 256, false)]
    [InlineData(0.5, 1, 256, false)]
    [InlineData(0.9, 1, 256, false)]
    [InlineData(0.5, 1, 5, false)]
    [InlineData(0.5, 3, 256, false)]
    [InlineData(0.5, 3, 5, true)]
    [InlineData(0.5, 1, 256, true)]
    public void Check_4_each_token_has_the_logits_of_full_depth_at_its_exit_step(double threshold, int batch, int queue, bool lazy)
    {
        var model = Deciding(threshold);
        var ids = Small.Ids(batch, 90, 40);
        using var quiet = no_grad();
        var full = model.Steps(ids, 4);
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
                Assert.InRange(Small.Difference(full[step].Logits_BTV.select(0, b).select(0, at - 1), logits.select(0, b)), 0, 1e-9);
            }
        }

        Assert.Equal([0, 1, 2, 3], seen.Order());

        // After a final catch-up every cache holds what full depth holds: a further block at full depth reads them all.
        session.CatchUp();
        Assert.InRange(Small.Difference(full[3].Logits_BTV.narrow(1, at, 4), session.Step(ids.narrow(1, at, 4))), 0, 1e-9);
    }

    [Fact]
    public void Check_4_the_cumulative_rule_stops_when_the_mass_is_reached()
    {
        var model = Deciding(0.5);
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
        var model = VuafSmall.Like(Deciding(0.5), new { rwkv_norm = "sequence" });
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
        var model = Deciding(0.5);
        int[] plain = [.. Sampler.Generate(model, [1, 2, 3], 30, new Sampling(Exit: new ExitOptions()))];
        long before = Small.SettledTensors();

        var text = Sampler.GenerateSteps(model, [1, 2, 3], 30, new Sampling(Exit: new ExitOptions())).ToArray();

        Assert.Equal(before, LiveTensors);
        Assert.Equal(plain, text.Select(t => t.Token));
        Assert.True(text.Select(t => t.LoopStep).Distinct().Count() > 1);
        Assert.All(Sampler.GenerateSteps(model, [1, 2, 3], 3, new Sampling()), t => Assert.Null(t.LoopStep));
    }

    // Halt logits spread around the threshold, so that every step is some token's exit.
    private static VuafModel Deciding(double threshold)
    {
        var model = VuafSmall.Tiny();
        using var quiet = no_grad();
        model.Weight("halt_head.proj.weight").normal_(0, 0.6);
        model.Weight("halt_head.proj.bias").fill_(Math.Log(threshold / (1 - threshold)) - 0.8);
        return model;
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
        full[step].Halt_BT!.sigmoid().select(0, row).select(0, at).item<double>();
}
