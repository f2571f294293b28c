using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Positronic;
using Xunit;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>Checks 8 and 9: caches and speculation give the text of full recomputation.</summary>
public sealed class Check08_DecodingTests(ITestOutputHelper output) : IDisposable
{
    private static readonly int[] Prompt = [.. Nano.Ids(1, 9, 3).HostArray<long>().Select(id => (int)id)];
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Check_8_forty_cached_greedy_ids_equal_full_recomputation(bool frozen, bool derfAndXsa)
    {
        using var quiet = no_grad();
        var model = Nano.Open(new { use_derf = derfAndXsa, use_xsa = derfAndXsa }, ScalarType.Float32);
        model.SetRingMemoryWriting(!frozen);
        var text = new List<long>(Prompt.Select(id => (long)id));
        using var session = model.StartDecode();
        var cached = session.Step(tensor(text.ToArray(), 1, text.Count)).select(1, text.Count - 1).flatten();
        for (int n = 0; n < 40; n++)
        {
            // Every recomputation starts from the memory that the request began with: an empty one.
            model.ResetRingMemory();
            var full = model.LogitsWithMemory(tensor(text.ToArray(), 1, text.Count)).select(1, text.Count - 1).flatten();
            model.ResetRingMemory();

            Assert.InRange(Nano.Changed(full, cached), 0, 1e-4);
            Assert.Equal(Sampler.Likeliest(full), Sampler.Likeliest(cached));
            text.Add(Sampler.Likeliest(cached));
            cached = session.Step(tensor(new[] { text[^1] }, 1, 1)).flatten();
        }
    }

    [Theory]
    [InlineData(true, 4)]
    [InlineData(true, 2)]
    [InlineData(false, 2)]
    public void Check_9_two_hundred_speculative_ids_equal_greedy_ones(bool writing, int goodHeads)
    {
        var model = Trained(goodHeads);
        model.SetRingMemoryWriting(writing);
        int[] greedy = [.. Sampler.Generate(model, Prompt, 200, new Sampling())];
        var stores = model.RingStores();
        var speculation = new Speculation();

        int[] got;
        using (var session = (ISpeculativeSession)model.StartDecode())
        {
            got = [.. speculation.Generate(session, Prompt, 200, model.Plan.MaxSeqLen)];
        }

        Assert.Equal(200, got.Length);
        Assert.Equal(greedy, got);
        var stats = speculation.Stats;
        output.WriteLine($"{stats.AcceptanceLength:0.00} ids a round over {stats.Rounds} rounds, {stats.Drafted} drafted");
        Assert.Equal(199, stats.Tokens);

        // Of two good heads and two that repeat the first, at least the last two rows of every block are taken back.
        Assert.InRange(stats.AcceptanceLength, goodHeads / 2.0, goodHeads + 1);
        Assert.True(greedy.Distinct().Count() > 5, "the text repeats a token");

        // Both ways leave the same memory: prompt and every id but the last were read.
        Assert.Equal(writing, stores is not null);
        if (stores is { } left)
        {
            Assert.InRange(Nano.Changed(left.Out_LBRES, model.RingStores()!.Value.Out_LBRES), 0, 1e-4);
            Assert.InRange(Nano.Changed(left.In_LBRES, model.RingStores()!.Value.In_LBRES), 0, 1e-4);
        }
    }

    [Theory]
    [InlineData("""{ "mem_chunk": 3, "spec_top_k": 1, "mtp_heads": 5, "rings": [2, 3, 4, 5], "moe_top_k": 1 }""")]
    [InlineData("""{ "mem_chunk": 1, "mtp_heads": 2 }""")]
    public void Check_9_two_speculative_requests_equal_greedy_ones_under_other_options(string options)
    {
        var model = Trained(goodHeads: 1, JsonSerializer.Deserialize<JsonElement>(options), steps: 140);
        model.KeepRingMemory = true;
        var greedy = Requests((prompt, count) => Sampler.Generate(model, prompt, count, new Sampling()));
        var stats = new List<SpeculationStats>();
        var speculative = Requests((prompt, count) =>
        {
            var speculation = new Speculation();
            using var session = (ISpeculativeSession)model.StartDecode();
            int[] ids = [.. speculation.Generate(session, prompt, count, model.Plan.MaxSeqLen)];
            stats.Add(speculation.Stats);
            return ids;
        });

        Assert.Equal(greedy.Ids, speculative.Ids);
        Assert.InRange(Nano.Changed(greedy.Out_LBRES, speculative.Out_LBRES), 0, 1e-4);
        output.WriteLine(string.Join(' ', stats) + $", {greedy.Ids.Distinct().Count()} different tokens");
        Assert.True(greedy.Ids.Distinct().Count() > 5, "the text repeats a token");

        // Some drafts are kept and some taken back.
        Assert.All(stats, s => Assert.InRange(s.AcceptanceLength, 1.2, model.Plan.Tensors.Count(t => t.Name.StartsWith("mtp.", StringComparison.Ordinal)) + 0.9));

        (int[] Ids, Tensor Out_LBRES) Requests(Func<int[], int, IEnumerable<int>> answer)
        {
            model.ResetRingMemory();
            int[] ids = [.. answer(Prompt, 50), .. answer([.. Prompt.Reverse()], 37)];
            return (ids, model.RingStores()!.Value.Out_LBRES.clone());
        }
    }

    [Fact]
    public void Check_9_a_margin_above_every_lead_decides_each_id_alone()
    {
        var model = Nano.Open(dtype: ScalarType.Float32);
        int[] greedy = [.. Sampler.Generate(model, Prompt, 30, new Sampling())];
        var speculation = new Speculation(margin: 1e9);
        using var session = (ISpeculativeSession)model.StartDecode();

        Assert.Equal(greedy, speculation.Generate(session, Prompt, 30, model.Plan.MaxSeqLen));
        Assert.Equal(29, speculation.Stats.Tokens);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(7)]
    [InlineData(1)]
    public void A_stop_id_or_the_limit_ends_a_speculative_text_where_it_ends_a_greedy_one(int limit)
    {
        var model = Nano.Open(dtype: ScalarType.Float32);
        int[] greedy = [.. Sampler.Generate(model, Prompt, 60, new Sampling())];
        int stop = greedy[20], first = Array.IndexOf(greedy, stop);
        using var session = (ISpeculativeSession)model.StartDecode();

        int[] got = [.. new Speculation().Generate(session, Prompt, limit, model.Plan.MaxSeqLen, new HashSet<int> { stop })];

        Assert.Equal(greedy[..Math.Min(limit, first + 1)], got);
    }

    [Fact]
    public void A_text_ends_at_the_models_longest_with_and_without_speculation()
    {
        var model = Nano.Open(new { max_seq_len = 32 }, ScalarType.Float32);
        int[] greedy = [.. Sampler.Generate(model, Prompt, 16, new Sampling())];
        using var session = (ISpeculativeSession)model.StartDecode();

        Assert.Equal(greedy, new Speculation().Generate(session, Prompt, 16, 32));
        using var longer = (ISpeculativeSession)model.StartDecode();
        Assert.Equal(32 - Prompt.Length, new Speculation().Generate(longer, Prompt, 100, 32).Count());
    }

    [Fact]
    public void Rows_taken_back_leave_no_trace()
    {
        var model = Nano.Open();
        int[] text = [.. Nano.Ids(1, 40, 11).HostArray<long>().Select(id => (int)id)];
        using var straight = (ISpeculativeSession)model.StartDecode();
        straight.Feed(text, 1);
        straight.Commit(text.Length);
        using var wavering = (ISpeculativeSession)model.StartDecode();

        // Blocks with a wrong tail, over two chunk ends.
        for (int at = 0; at < text.Length; at += 4)
        {
            wavering.Feed([.. text[at..(at + 4)], 5, 6, 7], 1);
            wavering.Commit(4);
        }

        Assert.InRange(Nano.Changed(straight.Feed([9], 1), wavering.Feed([9], 1)), 0, 1e-10);
    }

    [Fact]
    public void A_session_leaves_no_tensor_behind_but_the_stores()
    {
        var model = Nano.Open(dtype: ScalarType.Float32);
        Generate();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long before = LiveTensors.Settled();

        Generate();
        GC.Collect();
        GC.WaitForPendingFinalizers();

        Assert.Equal(before, Tensor.TotalCount);

        void Generate()
        {
            using var session = (ISpeculativeSession)model.StartDecode();
            Assert.Equal(40, new Speculation().Generate(session, Prompt, 40, 256).Count());
        }
    }

    // A few steps on text that repeats, so that heads for further tokens learn to draft.
    private static PositronicModel Trained(int goodHeads, object? overrides = null, int steps = 60)
    {
        var model = Nano.Fresh(overrides, ScalarType.Float32);
        using var optimizer = Optim(model);
        for (int step = 0; step < steps; step++)
        {
            using var scope = NewDisposeScope();
            long[] ids = [.. Enumerable.Range(0, 4).SelectMany(row => Enumerable.Range(0, 48).Select(t => (long)(((step + row + t) * 3 % 24) + 40)))];
            optimizer.ClearGradients();
            Nano.Train(model, tensor(ids, 4, 48)).Loss.Total.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
        }

        optimizer.ClearGradients();
        using var quiet = no_grad();
        foreach (var spec in model.Plan.Tensors.Where(t => t.Name.EndsWith(".scale", StringComparison.Ordinal)))
        {
            // So that what was written matters to what is said.
            model.Weight(spec.Name).fill_(0.5);
        }

        foreach (var spec in model.Plan.Tensors.Where(t => t.Name.StartsWith("mtp.", StringComparison.Ordinal)).Skip(goodHeads))
        {
            model.Weight(spec.Name).zero_();
        }

        return model;
    }

    private static Training.Optim.Optimizer Optim(PositronicModel model) =>
        Training.Optim.Optimizer.Create(model, new Runs.OptimizerSpec { Name = "adamw", Lr = 3e-3, WeightDecay = 0.05 });
}
