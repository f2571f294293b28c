using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace Hearth.Tests.Qovaryx;

public sealed class Check04_SpeculationTests : IDisposable
{
    private static readonly int[] Prompt = [.. Enumerable.Range(0, 8).Select(t => Word(t))];
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly ITestOutputHelper _output;

    public Check04_SpeculationTests(ITestOutputHelper output)
    {
        _output = output;
        set_num_threads(1);
    }

    public static TheoryData<string, string> Pairs() => Kinds.Pairs();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Check_4_two_hundred_speculative_ids_equal_greedy_ones_untrained_and_trained(string ffn, string mtp)
    {
        var model = Kinds.Nano(ffn, mtp, ffn == "ternary_swiglu" ? ScalarType.Float64 : ScalarType.Float32);
        var fresh = Compare(model, ffn, mtp, "untrained");
        Learn(model);
        var learnt = Compare(model, ffn, mtp, "trained");

        Assert.Equal((199, 199), (fresh.Tokens, learnt.Tokens));
        Assert.True(learnt.AcceptanceLength > 2, $"{learnt.AcceptanceLength} ids a round");
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Check_4_drafts_from_running_caches_equal_drafts_from_the_whole_text(string ffn, string mtp)
    {
        var model = Kinds.Tiny(ffn, mtp);
        var random = new Random(4);
        int Any() => random.Next(40);
        using var session = (ISpeculativeSession)model.StartDecode();
        var text = new List<int>();
        int[] block = [Any()];
        for (int round = 0; round < 24; round++)
        {
            // Whatever was fed, whichever rows stay, drafts asked for or not: only the text counts.
            session.Feed(block, 1);
            int rows = 1 + random.Next(block.Length), next = Any();
            bool asks = round % 5 != 3;
            rows = !asks && round % 2 == 1 ? 0 : rows;
            text.AddRange(block.Take(rows));
            if (asks)
            {
                Assert.Equal(model.Draft(Row([.. text, next])), session.Draft(rows - 1, next, 3));
            }

            session.Commit(rows);

            // What the main head chose stands first in the next block, in the same block again where no row stayed.
            int first = rows == 0 ? block[0] : next;
            block = [first, .. Enumerable.Range(0, random.Next(4)).Select(_ => Any())];
        }

        Assert.InRange(text.Count, 25, 64);
    }

    [Fact]
    public void A_draft_fixes_how_many_rows_are_committed()
    {
        var model = Kinds.Tiny("swiglu", "block");
        using var session = (ISpeculativeSession)model.StartDecode();
        session.Feed([1, 2, 3], 1);
        session.Draft(1, 5, 3);

        var error = Assert.Throws<InvalidOperationException>(() => session.Commit(3));
        Assert.Contains("after 2 rows of the block, and 3 are committed", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => session.Feed([1], 1));
        session.Commit(2);
        Assert.Throws<InvalidOperationException>(() => session.Commit(1));
    }

    [Fact]
    public void A_model_of_one_head_or_a_session_fed_in_batches_drafts_nothing()
    {
        using var alone = (ISpeculativeSession)Small.Tiny(new { mtp_k = 1 }).StartDecode();
        using var batch = (ISpeculativeSession)Small.Tiny().StartDecode();
        Assert.Equal(0, alone.MaxDrafts);
        Assert.Equal(3, batch.MaxDrafts);

        batch.Step(Small.Ids(1, 4, 40));

        Assert.Equal(0, batch.MaxDrafts);
        batch.Feed([1], 1);
        Assert.Empty(batch.Draft(0, 2, 3));
    }

    [Fact]
    public void The_margin_is_that_of_the_rounding()
    {
        double Margin(string ffn, ScalarType dtype, ScalarType? compute = null)
        {
            using var session = (ISpeculativeSession)Small.Tiny(new { ffn_kind = ffn }, dtype, compute).StartDecode();
            return session.Margin;
        }

        Assert.Equal(1e-5, Margin("swiglu", ScalarType.Float32));
        Assert.Equal(0.05, Margin("ternary_swiglu", ScalarType.Float32));
        Assert.Equal(1e-5, Margin("ternary_swiglu", ScalarType.Float64));
        Assert.Equal(0.02, Margin("swiglu", ScalarType.Float32, ScalarType.BFloat16));
    }

    private SpeculationStats Compare(Decoder model, string ffn, string mtp, string state)
    {
        int[] greedy = [.. Sampler.Generate(model, Prompt, 200, new Sampling())];
        var speculation = new Speculation();

        int[] got = [.. speculation.Generate(model, Prompt, 200)];

        Assert.Equal(200, got.Length);
        Assert.Equal(greedy, got);
        var stats = speculation.Stats;
        _output.WriteLine($"{ffn}, {mtp}, {state}: {stats.AcceptanceLength:0.00} ids a round over {stats.Rounds} rounds");
        return stats;
    }

    // Steps on text that repeats, so that the modules learn to draft.
    private static void Learn(Decoder model)
    {
        using var optimizer = Optimizer.Create(model, new OptimizerSpec { Lr = 3e-3, WeightDecay = 0 });
        for (int step = 0; step < 50; step++)
        {
            using var scope = NewDisposeScope();
            long[] ids = [.. Enumerable.Range(0, 4).SelectMany(row => Enumerable.Range(0, 48).Select(t => (long)Word(step + (row * 5) + t)))];
            var ids_BT = tensor(ids, 4, 48);
            optimizer.ClearGradients();
            var totals = model.Count(Kinds.Text(ids_BT), 48);
            model.Loss(model.Prepare(new LossInput(ids_BT, ids_BT, totals), new TrainingStep(1, step, 50, 1, 0))).Total.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
        }

        optimizer.ClearGradients();
    }

    private static int Word(int t) => (t * 3 % 24) + 40;

    private static Tensor Row(int[] ids) => tensor(Array.ConvertAll(ids, i => (long)i), 1, ids.Length);
}
