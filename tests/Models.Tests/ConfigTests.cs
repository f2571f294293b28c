using System.Text.Json;
using Hearth.Hardware;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Tests.Contract;
using Xunit;

namespace Hearth.Tests;

public sealed class ConfigTests
{
    [Fact]
    public void A_plan_echoes_every_field_and_its_overrides()
    {
        var plan = Small.Plan(new { d_ff = 96, qk_norm = true, mtp_weight = 0.25 });

        Assert.Equal(Families.Find("qovaryx")!.Fields.Select(f => f.Name).Order(), plan.Config.Select(p => p.Key).Order());
        Assert.Equal(96, plan.Config["d_ff"]!.GetValue<int>());
        Assert.True(plan.Config["qk_norm"]!.GetValue<bool>());
        Assert.Equal(0.25, plan.Config["mtp_weight"]!.GetValue<double>());
        Assert.Equal(64, plan.Config["d_model"]!.GetValue<int>());
    }

    [Fact]
    public void The_echoed_config_gives_the_same_model_again()
    {
        var plan = Small.Plan(new { mtp_kind = "block", n_layer = 3 });
        var overrides = JsonSerializer.SerializeToElement(plan.Config).EnumerateObject().ToDictionary(p => p.Name, p => p.Value);

        var again = Small.Plan(overrides, "50m");

        Assert.Equal(plan.Tensors.Select(t => (t.Name, t.Count)), again.Tensors.Select(t => (t.Name, t.Count)));
        Assert.Equal(plan.Config.ToJsonString(), again.Config.ToJsonString());
    }

    [Theory]
    [MemberData(nameof(FamilyContract.Names), MemberType = typeof(FamilyContract))]
    public void Every_field_of_a_family_has_help_and_a_range_that_holds_every_sizes_value(string name)
    {
        var family = Families.Find(name)!;

        Assert.All(family.Fields, f => Assert.Matches(@"^[A-Z0-9].*\.$", f.Help));
        Assert.All(family.Fields, f => Assert.True(f.Kind == ModelFieldKind.Flag || f.Choices is { Count: > 1 } || (double.IsFinite(f.Max) && f.Min < f.Max), f.Name));
        Assert.All(family.Sizes, size =>
        {
            var config = JsonSerializer.SerializeToElement(family.Plan(size, new Dictionary<string, JsonElement>(), [])!.Config);
            Assert.Equal(family.Fields.Select(f => f.Name), config.EnumerateObject().Select(p => p.Name));
            Assert.All(family.Fields, f => Assert.True(f.Accepts(config.GetProperty(f.Name)), $"{size}: {f.Name}"));
        });
    }

    [Theory]
    [InlineData("{\"n_layers\":4}", "model.n_layers", "n_layer", "No field is called model.n_layers. Nearest: model.n_layer.")]
    [InlineData("{\"ffn_kind\":\"ternary\"}", "model.ffn_kind", "swiglu, ternary_swiglu, lowrank_swiglu, routed_lowrank_swiglu", "model.ffn_kind is ternary. Allowed: swiglu, ternary_swiglu, lowrank_swiglu, routed_lowrank_swiglu.")]
    [InlineData("{\"ffn_top_k\":5}", "model.ffn_top_k", "1 to 4", "model.ffn_top_k 5 is over model.ffn_experts 4. Allowed: 1 to 4.")]
    [InlineData("{\"mtp_kind\":\"linear\"}", "model.mtp_kind", "res, block", "model.mtp_kind is linear. Allowed: res, block.")]
    [InlineData("{\"n_layer\":0}", "model.n_layer", "1 to 512", "model.n_layer is 0. Allowed: 1 to 512.")]
    [InlineData("{\"n_layer\":2.5}", "model.n_layer", "1 to 512", "model.n_layer is 2.5. Allowed: 1 to 512.")]
    [InlineData("{\"qk_norm\":1}", "model.qk_norm", "true, false", "model.qk_norm is 1. Allowed: true, false.")]
    [InlineData("{\"n_head\":5}", "model.n_head", "a divisor of 64", "model.n_head 5 does not divide model.d_model 64.")]
    [InlineData("{\"n_kv_head\":3}", "model.n_kv_head", "a divisor of 4", "model.n_kv_head 3 does not divide model.n_head 4.")]
    public void A_wrong_override_is_named_with_what_is_allowed(string json, string field, string allowed, string message)
    {
        var errors = new List<FieldError>();

        Assert.Null(Families.Plan(Small.Model(JsonSerializer.Deserialize<JsonElement>(json)), errors));

        var error = Assert.Single(errors);
        Assert.Equal((field, allowed, message), (error.Field, error.Allowed, error.Message));
    }

    [Fact]
    public void An_unknown_family_or_size_is_answered_with_the_known_ones()
    {
        var errors = new List<FieldError>();

        Assert.Null(Families.Plan(Small.Model(family: "qovarix"), errors));
        Assert.Null(Families.Plan(Small.Model(size: "7b"), errors));

        Assert.Equal(["model.family", "model.size"], errors.Select(e => e.Field));
        Assert.Equal("nano, 50m, 350m, 1b", errors[1].Allowed);
        Assert.Contains("qovaryx", errors[0].Allowed, StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_longer_than_the_model_reads_is_refused_in_words()
    {
        var run = RunChecks.Validate(Spec("50m", seqLen: 8192, batchTokens: 8192));

        var error = Assert.Single(run.Errors);
        Assert.Null(run.Spec);
        Assert.Equal("data.seq_len", error.Field);
        Assert.Equal("8,192 is over Qovaryx 50M's longest, 4,096. Allowed: 8 to 4,096.", error.Message);
    }

    [Fact]
    public void A_vocabulary_too_small_for_bytes_is_refused()
    {
        var run = RunChecks.Validate(Spec("nano", 64, 64, new { vocab_size = 256 }));

        Assert.Equal("model.vocab_size", Assert.Single(run.Errors).Field);
        Assert.Empty(RunChecks.Validate(Spec("nano", 64, 64, new { vocab_size = 257 })).Errors);
    }

    [Fact]
    public void Errors_of_the_model_and_of_the_rest_come_together()
    {
        var run = RunChecks.Validate(JsonSerializer.SerializeToElement(new
        {
            name = "x",
            model = new { family = "qovaryx", size = "nano", n_layer = 0 },
            data = new { dataset = "d" },
            train = new { steps = 0 },
        }));

        Assert.Equal(["model.n_layer", "train.steps"], run.Errors.Select(e => e.Field).Order());
    }

    [Fact]
    public void The_largest_dividing_micro_batch_that_fits_is_taken()
    {
        var (plan, spec) = Checked("50m", 1024, 12 * 1024);
        long Needed(int rows) => MemoryForecast.Of(plan, spec, rows).Total;

        var whole = RunChecks.Fit(plan, spec, 80L << 30, DeviceKind.Cuda);
        var four = RunChecks.Fit(plan, spec, (long)(Needed(4) / 0.92) + 2, DeviceKind.Cuda);
        var below = RunChecks.Fit(plan, spec, (long)(Needed(4) / 0.92) - 2, DeviceKind.Cuda);
        var none = RunChecks.Fit(plan, spec, 1L << 29, DeviceKind.Cuda);

        Assert.Equal((true, 12, 1, ""), (whole.Fits, whole.MicroBatch, whole.Accumulation, whole.Reason));
        Assert.Equal((true, 4, 3, Needed(4)), (four.Fits, four.MicroBatch, four.Accumulation, four.NeededBytes));
        Assert.Equal((3, 4), (below.MicroBatch, below.Accumulation));
        Assert.Equal((false, Needed(1)), (none.Fits, none.NeededBytes));
        Assert.Contains("one row", none.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_given_micro_batch_is_kept_or_the_device_refused()
    {
        var (plan, spec) = Checked("50m", 1024, 8 * 1024);
        spec = spec with { Train = spec.Train with { MicroBatch = 8 } };

        Assert.Equal(8, RunChecks.Fit(plan, spec, 80L << 30, DeviceKind.Cuda).MicroBatch);
        Assert.Contains("8 rows", RunChecks.Fit(plan, spec, 2L << 30, DeviceKind.Cuda).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_holds_a_run_with_recomputation_alone_is_refused_with_that_remedy()
    {
        var (plan, spec) = Checked("50m", 4096, 8 * 4096);
        long kept = MemoryForecast.Of(plan, spec, 1).Total;
        var blocks = spec with { Train = spec.Train with { Recompute = "block" } };
        long between = (kept + MemoryForecast.Of(plan, blocks, 1).Total) / 2;

        var refused = RunChecks.Fit(plan, spec, (long)(between / 0.92), DeviceKind.Cuda);
        var taken = RunChecks.Fit(plan, blocks, (long)(between / 0.92), DeviceKind.Cuda);
        var small = RunChecks.Fit(plan, spec, 1L << 29, DeviceKind.Cuda);

        Assert.Equal((false, kept), (refused.Fits, refused.NeededBytes));
        string rows = taken.MicroBatch == 1 ? "one row" : $"{taken.MicroBatch} rows";
        Assert.True(taken.Fits);
        Assert.Equal($"Fits with train.recompute: block, {rows} at a time.", refused.Remedy);
        Assert.EndsWith(refused.Remedy, refused.Reason, StringComparison.Ordinal);
        Assert.Equal(("", ""), (small.Remedy, taken.Remedy));
    }

    [Fact]
    public void Double_precision_is_refused_on_a_graphics_card_only()
    {
        var (plan, spec) = Checked("nano", 64, 64);
        spec = spec with { Train = spec.Train with { Precision = "fp64" } };

        Assert.Equal("fp64 runs on a CPU only.", RunChecks.Fit(plan, spec, 80L << 30, DeviceKind.Cuda).Reason);
        Assert.True(RunChecks.Fit(plan, spec, 8L << 30, DeviceKind.Cpu).Fits);
        Assert.True(RunChecks.Fit(plan, spec, 8L << 30, DeviceKind.Simulated).Fits);
    }

    [Fact]
    public void A_forecast_grows_with_rows_and_precision_and_sums_its_parts()
    {
        var plan = Small.Plan(size: "350m");
        var one = MemoryForecast.Of(plan, 1, 2048, "fp32", accumulates: true);

        Assert.Equal(one.Weights + one.Gradients + one.Optimizer + one.Activations + one.Logits + one.Work + one.Overhead, one.Total);
        Assert.Equal(plan.Parameters * 16, one.Weights + one.Gradients + one.Optimizer);
        Assert.True(MemoryForecast.Of(plan, 2, 2048, "fp32").Total > one.Total);
        Assert.True(MemoryForecast.Of(plan, 1, 2048, "fp64").Total > one.Total);
        Assert.True(MemoryForecast.Of(plan, 1, 2048, "bf16").Activations < one.Activations);
        Assert.Equal(one.Logits, MemoryForecast.Of(plan, 64, 2048, "fp32").Logits);
    }

    [Fact]
    public void Gradients_count_where_they_exist_beside_all_that_the_blocks_keep()
    {
        var plan = Small.Plan(size: "350m");
        long Gradients(long rows, string recompute = "none", DeviceKind device = DeviceKind.Cuda, bool accumulates = false) =>
            MemoryForecast.Of(plan, rows, 2048, "bf16", recompute: recompute, device: device, accumulates: accumulates).Gradients;
        long all = 4 * plan.Parameters;

        Assert.Equal(0, Gradients(64));
        Assert.Equal(all, Gradients(64, accumulates: true));
        Assert.Equal(all, Gradients(64, recompute: "block"));
        Assert.Equal(all, Gradients(64, device: DeviceKind.Cpu));

        // 2,048 rows of bf16 values make no room for the fp32 gradient of a matrix of more than 1,024 columns, and vectors have no such place to want.
        Assert.InRange(Gradients(1), 1, all - 1);
    }

    private static (ModelPlan Plan, RunSpec Spec) Checked(string size, int seqLen, int batchTokens)
    {
        var run = RunChecks.Validate(Spec(size, seqLen, batchTokens));
        Assert.Empty(run.Errors);
        return (run.Plan!, run.Spec!);
    }

    private static JsonElement Spec(string size, int seqLen, int batchTokens, object? overrides = null)
    {
        var model = Small.Model(overrides, size).Overrides.ToDictionary(p => p.Key, p => (object)p.Value);
        (model["family"], model["size"]) = ("qovaryx", size);
        return JsonSerializer.SerializeToElement(new
        {
            name = "x",
            model,
            data = new { dataset = "d", seq_len = seqLen },
            train = new { batch_tokens = batchTokens },
        });
    }
}
