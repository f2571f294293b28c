using Hearth.Kernels;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>AdamW with 8-bit moments: the maps, the codes, and what a run loses by them.</summary>
public sealed class AdamW8BitTests(ITestOutputHelper output) : IDisposable
{
    private static readonly OptimizerSpec Spec = new() { Name = "adamw8bit", Lr = 1e-3 };
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Optimizers_check_2_a_map_has_256_ascending_values_with_0_and_its_ends(bool signed)
    {
        var map = signed ? DynamicMap.Signed : DynamicMap.Unsigned;

        Assert.Equal(256, map.Values.Distinct().Count());
        Assert.Equal(map.Values.Order(), map.Values);
        Assert.Equal(0.0, map.Values[map.Zero]);
        Assert.Equal(1.0, map.Values[^1]);

        // The topmost of 64 or 128 parts of [0.1, 1]; 1 itself has no negative.
        double top = 1 - (0.9 / (signed ? 128 : 256));
        Assert.Equal(top, map.Values[^2], 1e-15);
        Assert.Equal(signed ? -top : 0, map.Values[0], 1e-15);

        // The smallest decade is one part, or two.
        Assert.Equal(signed ? 0.55e-6 : 0.325e-6, map.Values[map.Zero + 1], 1e-18);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Optimizers_check_2_coding_what_was_decoded_changes_nothing_and_no_sign_flips(bool signed)
    {
        var map = signed ? DynamicMap.Signed : DynamicMap.Unsigned;
        double[] values = [.. Enumerable.Range(0, 1000).Select(i => Math.Sin(i * 1.7) * Math.Pow(10, -(i % 9)))];
        values[40] = 1;
        values[300] = 3;
        values[600] = 1.5;
        values[900] = 2;
        if (!signed)
        {
            values = [.. values.Select(Math.Abs)];
        }

        using var moment = new CodedMoment(zeros([1000], ScalarType.Float64), map);
        Assert.All(moment.Decode().HostArray<double>(), v => Assert.Equal(0.0, v));

        moment.Encode(tensor(values));
        double[] once = moment.Decode().HostArray<double>();
        byte[] codes = moment.Codes_N.HostArray<byte>();
        moment.Encode(moment.Decode());

        Assert.Equal(codes, moment.Codes_N.HostArray<byte>());
        Assert.Equal(once, moment.Decode().HostArray<double>());
        double[] scale = moment.Scale_K.HostArray<double>();
        for (int i = 0; i < values.Length; i++)
        {
            double share = Math.Abs(values[i]) / scale[i / 256], error = Math.Abs(values[i] - once[i]) / scale[i / 256];
            Assert.True(once[i] == 0 || Math.Sign(once[i]) == Math.Sign(values[i]), $"{values[i]} became {once[i]}");
            Assert.InRange(error, 0, share < 0.1 ? 0.0015 : signed ? 0.00710 : 0.00360);
        }
    }

    [Fact]
    public void Optimizers_check_2_every_value_of_a_map_is_its_own_code_and_a_tie_takes_the_lower()
    {
        foreach (var map in new[] { DynamicMap.Signed, DynamicMap.Unsigned })
        {
            using var moment = new CodedMoment(zeros([256], ScalarType.Float64), map);
            moment.Encode(tensor(map.Values.ToArray()));
            Assert.Equal(Enumerable.Range(0, 256).Select(i => (byte)i), moment.Codes_N.HostArray<byte>());

            moment.Encode(tensor(map.Middles.Append(1.0).ToArray()));
            Assert.Equal(Enumerable.Range(0, 256).Select(i => (byte)i), moment.Codes_N.HostArray<byte>());
        }
    }

    [Fact]
    public void Optimizers_check_2_small_tensors_and_tables_keep_full_moments_and_codes_take_a_byte()
    {
        var plan = Small.Plan(new { tie_embeddings = false });
        foreach (string tables in new[] { "32bit", "8bit" })
        {
            var model = plan.Build(ScalarType.Float32, CPU, 1);
            using var optimizer = Optimizer.Create(model, Spec with { EmbedState = tables });
            var state = optimizer.State.ToDictionary(s => s.Name, s => s.Value);
            foreach (var tensor in plan.Tensors)
            {
                bool coded = tensor.Count >= 4096 && (tables == "8bit" || tensor.Name != "tok_emb");
                long bytes = state.Where(s => s.Key[(s.Key.IndexOf('.', StringComparison.Ordinal) + 1)..] == tensor.Name).Sum(s => s.Value.numel() * s.Value.ElementSize);

                Assert.Equal(coded ? tensor.Count + tensor.Count + (8 * ((tensor.Count + 255) / 256)) : 8 * tensor.Count, bytes);
                Assert.Equal(coded ? ScalarType.Byte : ScalarType.Float32, state["m." + tensor.Name].dtype);
            }

            Assert.Equal(state.Values.Sum(v => v.numel() * v.ElementSize), MemoryForecast.Of(plan, 1, 64, "fp32", Spec with { EmbedState = tables }).Optimizer);
        }
    }

    [Fact]
    public void The_forecast_of_a_large_model_counts_two_bytes_a_parameter_beside_its_tables()
    {
        var plan = Small.Plan(new { tie_embeddings = false }, "1b");
        long table = plan.Tensors.Single(t => t.Name == "tok_emb").Count;
        long bytes = MemoryForecast.Of(plan, 1, 4096, "bf16", Spec).Optimizer;

        Assert.InRange((bytes - (8.0 * table)) / (plan.Parameters - table), 2.03, 2.04);
    }

    [Fact]
    public void A_step_uses_the_unrounded_moments_and_decays_the_old_weights()
    {
        var (coded, full) = (Wide(), Wide());
        using var a = Optimizer.Create(coded, Spec with { WeightDecay = 0.1 });
        using var b = Optimizer.Create(full, Spec with { Name = "adamw", WeightDecay = 0.1 });
        foreach (var model in new[] { coded, full })
        {
            model.Weight("w").grad = tensor(Enumerable.Range(0, 5000).Select(i => Math.Cos(i) * Math.Pow(10, -(i % 3))).ToArray(), 50, 100);
        }

        a.Step(1);
        b.Step(1);

        // Moments start at 0, which is a value of both maps, so that the first step is exact.
        Assert.InRange(Small.Difference(coded.Weight("w"), full.Weight("w")), 0, 1e-15);
        a.Step(1);
        b.Step(1);
        Assert.InRange(Small.Difference(coded.Weight("w"), full.Weight("w")), 1e-9, 1e-3);
    }

    [Theory]
    [InlineData(ScalarType.Float32, "decoupled", 2e-6)]
    [InlineData(ScalarType.Float64, "decoupled", 1e-13)]
    [InlineData(ScalarType.Float64, "coupled", 1e-13)]
    public void The_fused_step_equals_the_plain_one(ScalarType dtype, string decay, double tolerance)
    {
        // The last block is short, one gradient is not finite, and steps follow on codes of the ones before.
        var spec = Spec with { AdamDecay = decay };
        var plan = Small.Plan(new { ffn_kind = "lowrank_swiglu", ffn_rank = 29 });
        var (fused, naive) = (plan.Build(dtype, CPU, 4), plan.Build(dtype, CPU, 4));
        using var a = new AdamW8Bit(fused, spec);
        using var b = new AdamW8Bit(naive, spec, naive: true);
        Assert.Contains(a.State, s => s.Value.dtype == ScalarType.Byte && s.Value.numel() % 256 != 0);
        for (int step = 0; step < 4; step++)
        {
            manual_seed(step);
            foreach (var tensor in plan.Tensors)
            {
                var grad = empty([.. tensor.Shape]).normal_(0, Math.Pow(10, -step)).to(dtype);
                grad.select(0, 0).fill_(tensor.Name.EndsWith("up_b", StringComparison.Ordinal) && step == 2 ? double.NaN : 0.01);
                (fused.Weight(tensor.Name).grad, naive.Weight(tensor.Name).grad) = (grad, grad.clone());
            }

            a.Step(1);
            b.Step(1);
        }

        Assert.All(fused.Parameters.Zip(naive.Parameters), p => Assert.InRange(Small.Difference(p.First, p.Second), 0, tolerance));
        Assert.All(a.State.Zip(b.State), s => Assert.InRange(Small.Difference(s.First.Value, s.Second.Value), 0, s.First.Value.dtype == ScalarType.Byte ? 0 : tolerance));
    }

    [Fact]
    public void A_gradient_that_is_not_finite_leaves_its_weight_and_clears_its_moments_alone()
    {
        var (model, plain) = (Wide(), Wide());
        using var optimizer = Optimizer.Create(model, Spec);
        using var other = Optimizer.Create(plain, Spec);
        double before = model.Weight("w").HostArray<double>()[7];
        double[] grad = [.. Enumerable.Repeat(0.5, 5000)];
        plain.Weight("w").grad = tensor(grad, 50, 100);
        grad[7] = double.NaN;
        model.Weight("w").grad = tensor(grad, 50, 100);

        optimizer.Step(1);
        other.Step(1);

        double[] got = model.Weight("w").HostArray<double>(), expected = plain.Weight("w").HostArray<double>();
        Assert.Equal(before, got[7]);
        Assert.Equal(expected[8..], got[8..]);
        byte[] codes = optimizer.State.Single(s => s.Name == "m.w").Value.HostArray<byte>();
        Assert.Equal((byte)DynamicMap.Signed.Zero, codes[7]);
        Assert.Equal(255, codes[8]);
    }

    [Fact]
    public void A_second_moment_that_was_coded_as_zero_moves_a_weight_by_at_most_ten_rates()
    {
        var model = Wide();
        using var optimizer = Optimizer.Create(model, Spec with { WeightDecay = 0 });
        double[] grad = new double[5000];
        (grad[0], grad[1]) = (1e4, 1);
        model.Weight("w").grad = tensor(grad, 50, 100);
        optimizer.Step(1);
        Assert.Equal(0, optimizer.State.Single(s => s.Name == "v.w").Value.HostArray<byte>()[1]);
        double before = model.Weight("w").HostArray<double>()[1];
        (grad[0], grad[1]) = (0, 0);
        model.Weight("w").grad = tensor(grad, 50, 100);

        optimizer.Step(1);

        Assert.Equal(10 * Spec.Lr, before - model.Weight("w").HostArray<double>()[1], 1e-12);
    }

    [Fact]
    public void Optimizers_check_3_and_Qovaryx_check_10_8_bit_moments_cost_at_most_two_percent_of_the_loss_in_300_steps()
    {
        set_num_threads(1);
        double full = Train("adamw"), coded = Train("adamw8bit");

        output.WriteLine($"loss with full moments {full:0.0000}, with 8-bit ones {coded:0.0000}: {100 * ((coded / full) - 1):0.00} %");

        // Four even ways are ln 4 = 1.39 nats; a model that learnt nothing has ln 64 = 4.16.
        Assert.InRange(full, 1.3, 3);
        Assert.InRange(coded, full * 0.98, full * 1.02);
        Assert.NotEqual(full, coded);
    }

    // Mean loss of the last 20 steps on a text in which each token leaves four ways open.
    private static double Train(string name)
    {
        var model = Small.Plan().Build(ScalarType.Float32, CPU, 3);
        using var optimizer = Optimizer.Create(model, Spec with { Name = name, Lr = 2e-3, WarmupSteps = 20 });
        var random = new Random(5);
        double sum = 0;
        for (int step = 0; step < 300; step++)
        {
            using var scope = NewDisposeScope();
            long[] ids = new long[4 * 32];
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = i % 32 == 0 ? random.Next(64) : ((ids[i - 1] * 5) + 11 + random.Next(4)) % 64;
            }

            var ids_BT = tensor(ids, 4, 32);
            optimizer.ClearGradients();
            var totals = model.Count([.. ids.Select(i => (int)i)], 32);
            var loss = model.Loss(ids_BT, ids_BT, totals);
            loss.Total.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(Schedules.Factor(Spec with { WarmupSteps = 20 }, step, 300));
            sum += step >= 280 ? loss.Terms[0].Sum.Number() / totals.Counts[0] : 0;
        }

        return sum / 20;
    }

    private static BareModel Wide() => new(TensorSpec.Matrix("w", 50, 100, Init.Ones));
}
