using System.Text.Json;
using Hearth.Models.Vuaf;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>What runs and commands say of a looped model: each depth at every evaluation, and what its owner should hear once.</summary>
public sealed class LoopRunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_evaluation_reports_the_mass_and_the_loss_of_each_loop_step()
    {
        var sink = Run("run", Spec());

        Assert.Equal([5L, 10, 12], sink.Of<EvalEvent>().Select(e => e.Step));
        Assert.All(sink.Of<EvalEvent>(), e =>
        {
            var terms = e.Terms!;
            Assert.Equal(["bits_per_byte", "ce.1", "ce.2", "p.1", "p.2"], terms.Keys.Order(StringComparer.Ordinal));
            Assert.Equal(1, terms["p.1"] + terms["p.2"], 1e-6);
            Assert.InRange(e.Loss, Math.Min(terms["ce.1"], terms["ce.2"]) - 0.05, Math.Max(terms["ce.1"], terms["ce.2"]) + 0.05);
        });
        Assert.DoesNotContain(sink.Of<LogEvent>(), e => e.Level == LogLevel.Warning);
    }

    [Fact]
    public void A_family_without_such_terms_reports_its_loss_in_bits_per_byte_alone() =>
        Assert.All(Run("run", TinyRun.Spec()).Of<EvalEvent>(), e => Assert.Equal([EvalEvent.BitsPerByte], e.Terms!.Keys));

    [Fact]
    public void A_step_that_hardly_any_token_reaches_is_warned_of_once_in_a_run_and_not_in_the_warm_start()
    {
        // The halt head stops nearly everything at step 1 from the start; the warm start ends with step 6 of 12.
        var spec = Spec(("halt_init_bias", 8), ("halt_warm_start", 0.5));
        var straight = Run("straight", spec);

        var warning = Assert.Single(straight.Of<LogEvent>(), e => e.Level == LogLevel.Warning);
        Assert.StartsWith("Loop step 2 has 0.000", warning.Text, StringComparison.Ordinal);
        Assert.Contains("model.entropy_reg_coef (now 0.01)", warning.Text, StringComparison.Ordinal);
        Assert.Equal(10, straight.All.TakeWhile(e => e != warning).OfType<EvalEvent>().Last().Step);

        // The evaluation of step 12 finds the same again, in the straight run and in a resumed one.
        Run("whole", spec with { Checkpoint = spec.Checkpoint with { EverySteps = 11 } });
        var resumed = Run("resumed", spec, CheckpointFolder.PathOf(_folder.At("whole", "checkpoints"), 11));
        Assert.DoesNotContain(resumed.Of<LogEvent>(), e => e.Level == LogLevel.Warning);
        Assert.Equal(straight.Of<DoneEvent>()[0].Trace, resumed.Of<DoneEvent>()[0].Trace);
    }

    [Fact]
    public void Training_under_the_norm_over_the_sequence_warns_once_that_the_model_sees_the_future()
    {
        var spec = Spec(("rwkv_norm", "sequence"));
        var straight = Run("straight", spec);
        var resumed = Run("resumed", spec, CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), 4));

        Assert.Single(straight.Of<LogEvent>(), e => e.Level == LogLevel.Warning && e.Text.Contains("sees the tokens that it is to predict", StringComparison.Ordinal));
        Assert.DoesNotContain(resumed.Of<LogEvent>(), e => e.Level == LogLevel.Warning);
    }

    [Theory]
    [InlineData("generate", "--prompt", "the cat", "--max-tokens", "3")]
    [InlineData("generate", "--prompt", "the cat", "--max-tokens", "3", "--halt-threshold", "1")]
    [InlineData("logits", "--ids", "5,9,30")]
    [InlineData("chat", "--max-tokens", "3")]
    public void Commands_say_once_that_a_published_model_reads_later_tokens(string command, params string[] options)
    {
        string folder = _folder.At("published");
        using (torch.NewDisposeScope())
        {
            PublishedFolder.Write(new TrainedModel(SmallCheckpoint.Model("vuaf"), SmallCheckpoint.Tokenizer(TokenizerKinds.SentencePiece)), folder);
        }

        string path = Path.Combine(folder, VuafFolder.ConfigName);
        var config = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(File.ReadAllText(path))!;
        Assert.True(config.Remove("rwkv_norm"));
        File.WriteAllText(path, JsonSerializer.Serialize(config));

        var result = TrainerCommandLine.Run([command, .. command == "generate" ? new[] { "--checkpoint" } : [], folder, .. options], "the cat\nthe birds\n");

        Assert.True(result.Exit == ExitCodes.Done, result.Errors);
        Assert.Single(result.Errors.Split('\n'), line => line == "rwkv_norm is sequence, as in published checkpoints: logits depend on later tokens, so every new token runs the whole text again.");
    }

    [Theory]
    [InlineData("--exit-rule", "sum", "--exit-rule is sum. Allowed: threshold, cumulative.")]
    [InlineData("--halt-threshold", "2", "--halt-threshold is 2. Allowed: 0 to 1.")]
    public void A_wrong_exit_option_is_named(string option, string value, string message)
    {
        var result = TrainerCommandLine.Run("generate", "--checkpoint", Checkpoint("vuaf"), "--prompt", "the", option, value);

        Assert.Equal((ExitCodes.BadInput, $"hearth-trainer: {message}"), (result.Exit, result.Errors.TrimEnd()));
    }

    [Theory]
    [InlineData("--lazy-prefill")]
    [InlineData("--exit-rule", "cumulative")]
    public void An_exit_option_for_a_family_without_a_loop_is_refused(params string[] option)
    {
        var result = TrainerCommandLine.Run(["generate", "--checkpoint", Checkpoint("hybrid"), "--prompt", "the", .. option]);

        Assert.Equal((ExitCodes.BadInput, $"hearth-trainer: {option[0]} is set, but Hybrid nano has no loop to leave early."), (result.Exit, result.Errors.TrimEnd()));
    }

    [Fact]
    public void Exit_rules_and_a_lazy_prefill_can_be_asked_for()
    {
        string checkpoint = Checkpoint("vuaf");
        string Steps(params string[] options) => TrainerCommandLine.Run(["generate", "--checkpoint", checkpoint, "--prompt", "the cat", "--max-tokens", "3", "--temperature", "0", .. options]).Errors.Trim();

        Assert.Equal("loop steps: 0 0 0", Steps("--exit-rule", "cumulative", "--halt-threshold", "0"));
        Assert.Equal("loop steps: 1 1 1", Steps("--exit-rule", "cumulative", "--halt-threshold", "0.9999"));
        Assert.Equal("loop steps: 0 0 0", Steps("--lazy-prefill", "--halt-threshold", "0"));
    }

    private string Checkpoint(string family)
    {
        using var scope = torch.NewDisposeScope();
        return SmallCheckpoint.Write(_folder.At("checkpoints"), SmallCheckpoint.Model(family), SmallCheckpoint.Tokenizer(TokenizerKinds.ByteBpe));
    }

    private static RunSpec Spec(params (string Field, object Value)[] fields)
    {
        var overrides = new Dictionary<string, object>
        {
            ["vocab_size"] = 300, ["d_model"] = 16, ["n_layers"] = 2, ["rwkv_head_dim"] = 8, ["rwkv_lowrank"] = 4,
            ["mamba_d_state"] = 4, ["mamba_d_head"] = 8, ["attn_head_dim"] = 8, ["ffn_hidden"] = 24,
        };
        foreach (var (field, value) in fields)
        {
            overrides[field] = value;
        }

        return TinyRun.Spec(spec => spec with
        {
            Model = new ModelSpec { Family = "vuaf", Size = "nano", Overrides = overrides.ToDictionary(f => f.Key, f => JsonSerializer.SerializeToElement(f.Value)) },
        });
    }

    private ListSink Run(string work, RunSpec spec, string? resume = null)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        int exit = new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, work, spec, resume));
        Assert.True(exit == ExitCodes.Done, string.Join('\n', sink.Of<FailedEvent>().Select(e => e.Message)));
        return sink;
    }
}
