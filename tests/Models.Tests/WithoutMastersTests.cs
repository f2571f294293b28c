using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Weights kept in bf16 alone: who may train so, what rounding at random does, and what it saves.</summary>
public sealed class WithoutMastersTests : IDisposable
{
    private static readonly OptimizerSpec Spec = new() { Name = "adamw8bit", Lr = 1e-3 };
    private static readonly TrainSpec Train = new() { Precision = "bf16", Master = "none" };
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Only_matrices_and_heads_with_8_bit_moments_lose_their_masters()
    {
        var plan = Small.Plan(new { tie_embeddings = false }).Under(Train, Spec);
        var model = plan.Build(ScalarType.Float32, CPU, 1, ScalarType.BFloat16);

        Assert.Contains(plan.Tensors, t => t.Narrow);
        Assert.All(plan.Tensors, t => Assert.Equal(t.Narrow ? ScalarType.BFloat16 : ScalarType.Float32, model.Weight(t.Name).dtype));
        Assert.All(plan.Tensors.Where(t => t.Narrow), t => Assert.True(t.Group != ParameterGroup.Vector && EightBitMoments.Hold(t.Parameter, Spec)));
        Assert.Equal(ScalarType.Float32, model.Weight("tok_emb").dtype);
    }

    [Theory]
    [InlineData("decoupled")]
    [InlineData("coupled")]
    public void The_fused_step_rounds_as_the_plain_one_to_the_bit(string decay)
    {
        var spec = Spec with { AdamDecay = decay };
        var plan = Small.Plan(new { ffn_kind = "lowrank_swiglu", ffn_rank = 29 }).Under(Train, spec);
        var (fused, naive) = (Build(plan), Build(plan));
        using var a = new AdamW8Bit(fused, spec);
        using var b = new AdamW8Bit(naive, spec, naive: true);
        for (int step = 0; step < 3; step++)
        {
            manual_seed(step);
            foreach (var tensor in plan.Tensors)
            {
                var grad = empty([.. tensor.Shape]).normal_(0, Math.Pow(10, -step)).to(fused.Weight(tensor.Name).dtype);
                (fused.Weight(tensor.Name).grad, naive.Weight(tensor.Name).grad) = (grad, grad.clone());
            }

            a.Step(1);
            b.Step(1);
        }

        Assert.All(plan.Tensors.Where(t => t.Narrow), t => Assert.Equal(naive.Weight(t.Name).HostArray<float>(), fused.Weight(t.Name).HostArray<float>()));
        Assert.All(a.State.Zip(b.State).Where(s => s.First.Value.dtype == ScalarType.Byte), s => Assert.Equal(s.Second.Value.HostArray<byte>(), s.First.Value.HostArray<byte>()));
    }

    [Fact]
    public void Steps_below_a_last_bit_add_up_in_the_mean()
    {
        // Between 1 and 2 a bf16 number is 1/128 from the next; a step of 1/2000 is a sixteenth of that.
        const int steps = 100, count = 8192;
        const double rate = 1.0 / 2000;
        var values = ones([count]) * 1.5;
        for (int i = 0; i < steps; i++)
        {
            values = RandomRounding.ToBfloat16(values - rate, SeedOf(i));
        }

        double[] moved = [.. values.HostArray<double>().Select(v => 1.5 - v)];
        Assert.All(moved, m => Assert.Equal(0, m * 128 % 1));

        // A step's rounding has a variance of p(1 − p)/128²; the mean of 8,192 weights is known to 4 deviations.
        double deviation = Math.Sqrt(steps * (rate * 128) * (1 - (rate * 128))) / 128 / Math.Sqrt(count);
        Assert.InRange(moved.Average(), (steps * rate) - (4 * deviation), (steps * rate) + (4 * deviation));
    }

    [Fact]
    public void Rounding_keeps_what_bf16_holds_and_what_is_no_number()
    {
        float[] exact = [0f, -0f, 1f, -1.5f, 3.0f / 128, float.PositiveInfinity, float.NegativeInfinity, float.NaN];

        Assert.Equal(exact, RandomRounding.ToBfloat16(tensor(exact), SeedOf(3)).HostArray<float>());
    }

    [Fact]
    public void A_step_repeats_its_bits_and_another_step_rounds_otherwise()
    {
        var values = empty([4096]).normal_();
        float[] once = RandomRounding.ToBfloat16(values, SeedOf(1)).HostArray<float>();

        Assert.Equal(once, RandomRounding.ToBfloat16(values, SeedOf(1)).HostArray<float>());
        Assert.NotEqual(once, RandomRounding.ToBfloat16(values, SeedOf(2)).HostArray<float>());
    }

    [Fact]
    public void Losses_stay_beside_those_with_masters()
    {
        double[] with = Losses("fp32"), without = Losses("none");

        Assert.True(without[^1] < without[0] * 0.8);
        Assert.All(with.Zip(without), pair => Assert.InRange(pair.Second / pair.First, 0.97, 1.03));
    }

    [Fact]
    public void The_forecast_of_a_large_model_counts_two_bytes_a_weight_and_two_a_gradient()
    {
        var plan = Small.Plan(null, "1b");
        var wide = MemoryForecast.Of(plan, 1, 2048, "bf16", Spec, accumulates: true);
        var narrow = MemoryForecast.Of(plan.Under(Train, Spec), 1, 2048, "bf16", Spec, accumulates: true);

        Assert.Equal(wide.Optimizer, narrow.Optimizer);
        Assert.InRange(narrow.Weights / (double)wide.Weights, 0.5, 0.53);
        Assert.Equal(narrow.Weights, narrow.Gradients);
    }

    [Theory]
    [InlineData("bf16", "adamw8bit", 0, "qovaryx", "swiglu", null)]
    [InlineData("fp32", "adamw8bit", 0, "qovaryx", "swiglu", "train.precision is fp32, not bf16")]
    [InlineData("bf16", "adamw", 0, "qovaryx", "swiglu", "optimizer.name is adamw, not adamw8bit")]
    [InlineData("bf16", "adamw8bit", 0.99, "qovaryx", "swiglu", "an average of the weights is kept in fp32")]
    [InlineData("bf16", "adamw8bit", 0, "qovaryx", "ternary_swiglu", "ternary weights turn over in steps that bf16 does not hold")]
    [InlineData("bf16", "adamw8bit", 0, "moa", null, "computes with its weights in fp32")]
    public void Only_bf16_runs_with_8_bit_moments_of_a_family_that_can_go_without_masters(
        string precision, string optimizer, double ema, string family, string? ffn, string? reason)
    {
        var model = new Dictionary<string, object> { ["family"] = family, ["size"] = "nano" };
        if (ffn is not null)
        {
            model["ffn_kind"] = ffn;
        }

        var run = RunChecks.Validate(JsonSerializer.SerializeToElement(new
        {
            name = "narrow",
            model,
            data = new { dataset = "text", seq_len = 64 },
            train = new { steps = 200, batch_tokens = 64, precision, master = "none" },
            optimizer = new { name = optimizer, ema },
        }));

        if (reason is null)
        {
            Assert.Empty(run.Errors);
            Assert.Contains(run.Plan!.Tensors, t => t.Narrow);
            return;
        }

        var error = Assert.Single(run.Errors);
        Assert.Equal("train.master", error.Field);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_loss_alone_leaves_no_handle_but_its_results()
    {
        var model = Build(Small.Plan());
        var ids = Small.Ids(2, 32, 64);
        var input = model.Prepare(new LossInput(ids, ids, model.Count(Array.ConvertAll(ids.HostArray<long>(), i => (int)i), 32)), new TrainingStep(1, 0, 0, 1, 0));
        model.LossAlone(input);
        long before = LiveTensors.Settled();

        var loss = model.LossAlone(input);

        Assert.Equal(before + 1 + (2 * loss.Terms.Count), Tensor.TotalCount);
        loss.Total.backward();
        Assert.NotNull(model.Weight("blocks.0.q").grad);
    }

    private static long SeedOf(int step) => Hearth.Training.SeedMix.Of(0, Hearth.Training.RandomStream.Rounding, step);

    private static LanguageModel Build(ModelPlan plan) => plan.Build(ScalarType.Float32, CPU, 4, ScalarType.BFloat16);

    private static double[] Losses(string master)
    {
        set_num_threads(1);
        var model = Build(Small.Plan().Under(Train with { Master = master }, Spec));
        using var optimizer = Optimizer.Create(model, Spec with { Lr = 3e-3 });
        int[] ids = [.. Small.Draw(4 * 32, 64, 5).Select(i => (int)i)];
        var totals = model.Count(ids, 32);
        var ids_BT = tensor(ids, 4, 32).to(int64);
        return [.. Enumerable.Range(0, 12).Select(step =>
        {
            using var scope = NewDisposeScope();
            optimizer.ClearGradients();
            var loss = model.LossAlone(model.Prepare(new LossInput(ids_BT, ids_BT, totals), new TrainingStep(1, step, 0, 1, 0)));
            loss.Total.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
            return loss.Terms[0].Sum.Number();
        })];
    }
}
