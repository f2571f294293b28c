using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Training.Tests;

/// <summary>
/// Recordings without a card: what is recorded is done again with the choices and the tensors of its recording, as a graph would, so that a
/// choice which the key does not hold shows as another loss.
/// </summary>
public sealed class StepRecorderTests : IDisposable
{
    private const int Steps = 14, Length = 24;
    private readonly TempFolder _folder = new();

    /// <summary>Families, fields under which steps differ, the micro-batches of a batch, whether blocks run again, and how many recordings that takes.</summary>
    public static TheoryData<string, string, int[], bool, int> Runs => new()
    {
        { "qovaryx", "{}", [4], false, 1 },
        { "qovaryx", "{}", [2, 2], true, 1 },
        { "qovaryx", "{}", [2, 2, 1], false, 1 },
        { "hybrid", "{}", [4], false, 2 },
        { "hybrid", "{}", [2, 2], true, 2 },
        { "moa", """{"router_topk":2,"router_soft_steps":6,"ti_weight":0}""", [4], false, 2 },
        { "moa", """{"router_topk":2,"router_soft_steps":6,"ti_weight":0.5,"ti_ramp_steps":9}""", [2, 2], true, 2 },
        { "moa", """{"ti_weight":0.5,"ti_ramp_steps":9}""", [2, 2, 1], false, 1 },
        { "moa", """{"attn_dropout":0.2,"proj_dropout":0.1}""", [2, 2], true, 1 },
        { "vuaf", """{"entropy_reg_coef":0,"halt_warm_start":0.5}""", [4], false, 2 },
        { "vuaf", """{"halt_warm_start":0.5}""", [2, 2], true, 2 },
        { "positronic", "{}", [4], false, 2 },
        { "positronic", "{}", [2, 2], true, 2 },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void A_recorded_run_is_the_launched_one_over_every_choice_that_changes_with_the_step(string family, string fields, int[] parts, bool recompute, int recordings)
    {
        int recorded = 0;
        var launched = Train(family, fields, parts, recompute, model => new StepRecorder(model, record: null));
        var replayed = Train(family, fields, parts, recompute, model => new StepRecorder(model, work =>
        {
            recorded++;
            return (work, Nothing.ToFree);
        }));

        Assert.Equal(launched, replayed);
        Assert.Equal(recordings, recorded);
    }

    [Theory]
    [InlineData("qovaryx", "{}", true)]
    [InlineData("qovaryx", """{"ffn_kind":"routed_lowrank_swiglu"}""", false)]
    [InlineData("qovaryx", """{"decision_head_enabled":true}""", false)]
    [InlineData("qovaryx", """{"chart_patch_encoder_enabled":true}""", false)]
    [InlineData("vuaf", "{}", true)]
    [InlineData("vuaf", """{"halt_only":true}""", false)]
    [InlineData("moa", "{}", true)]
    [InlineData("hybrid", "{}", true)]
    [InlineData("positronic", "{}", true)]
    public void Only_work_that_no_data_decides_is_recorded(string family, string fields, bool recorded)
    {
        var (model, prepared) = Small(family, fields);
        var extras = new Dictionary<string, Tensor>(StringComparer.Ordinal) { ["lengths"] = full([2], Length, int64) };

        Assert.Equal(recorded, Records(model, prepared));
        Assert.False(Records(model, prepared with { Extras = extras }));
        Assert.False(Records(model, new LossInput(prepared.Ids_BT, prepared.Labels_BT, prepared.Totals)));
    }

    [Fact]
    public void A_recording_that_fails_in_the_middle_of_a_batch_leaves_its_gradients_and_says_why()
    {
        string? why = null;
        var launched = Train("qovaryx", "{}", [1, 1, 1, 1], false, model => new StepRecorder(model, record: null));
        var refused = Train(
            "qovaryx",
            "{}",
            [1, 1, 1, 1],
            false,
            model => new StepRecorder(model, _ => throw new InvalidOperationException("operation not permitted when stream is capturing\nat somewhere")),
            recorder => why = recorder.Refusal);

        Assert.Equal(launched, refused);
        Assert.Equal("operation not permitted when stream is capturing", why);
    }

    [Fact]
    public void Memory_that_runs_out_while_recording_is_told_and_refuses_no_later_recording()
    {
        var (model, input) = Small();
        int tries = 0;
        using var recorder = new StepRecorder(model, work => ++tries == 1 ? throw new InvalidOperationException("CUDA out of memory. Tried to allocate 2.00 GiB") : (work, Nothing.ToFree));
        Run(recorder, model, input);
        Run(recorder, model, input);

        Assert.Contains("out of memory", Assert.Throws<InvalidOperationException>(() => Run(recorder, model, input)).Message, StringComparison.Ordinal);
        Assert.Null(recorder.Refusal);
        Run(recorder, model, input);
        Assert.Equal(2, tries);
    }

    [Fact]
    public void A_start_that_ended_while_recording_is_known_to_the_next_one_which_launches()
    {
        var (model, input) = Small();
        var mark = new RecordingMark(_folder.At("recording-1"));
        bool marked = false;
        using (var recorder = new StepRecorder(model, work =>
        {
            marked = mark.Reason is not null;
            return (work, Nothing.ToFree);
        }, mark))
        {
            Run(recorder, model, input);
            Run(recorder, model, input);
            Run(recorder, model, input);
        }

        Assert.True(marked);
        Assert.Null(mark.Reason);

        mark.Set();
        using var next = new StepRecorder(model, _ => throw new InvalidOperationException("must not be recorded"), new RecordingMark(_folder.At("recording-1")));
        for (int i = 0; i < 4; i++)
        {
            Run(next, model, input);
        }

        Assert.Contains("ended on this machine while its step was recorded", next.Refusal, StringComparison.Ordinal);
        Assert.Contains("recording-1", next.Refusal, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static void Run(StepRecorder recorder, LanguageModel model, LossInput input)
    {
        using var scope = NewDisposeScope();
        model.ClearGradients();
        recorder.Run(input);
    }

    // Whether so many equal micro-batches as bring a recording bring one.
    private static bool Records(LanguageModel model, LossInput input)
    {
        bool records = false;
        using var recorder = new StepRecorder(model, work =>
        {
            records = true;
            return (work, Nothing.ToFree);
        });
        for (int i = 0; i < 3; i++)
        {
            Run(recorder, model, input);
        }

        return records;
    }

    private static (LanguageModel Model, LossInput Input) Small(string family = "qovaryx", string fields = "{}")
    {
        var model = Plan(family, fields).Build(float32, CPU, 1, float32);
        int[] ids = Ids(0, 2);
        var ids_BT = tensor(ids, 2, Length).to(int64);
        return (model, model.Prepare(new LossInput(ids_BT, ids_BT, model.Count(ids, Length)), new TrainingStep(1, 0, Steps, 1, 0)));
    }

    // Loss, gradient norm and every weight's sum of each step, to the bit; longer rows are evaluated between steps.
    private static List<string> Train(string family, string fields, int[] parts, bool recompute, Func<LanguageModel, StepRecorder> make, Action<StepRecorder>? end = null)
    {
        using var scope = NewDisposeScope();
        var plan = Plan(family, fields);
        var model = plan.Build(float32, CPU, 1, float32);
        using var optimizer = new AdamW(model, new OptimizerSpec { Lr = 1e-2 });
        using var recorder = make(model);
        var trace = new List<string>();
        for (int step = 0; step < Steps; step++)
        {
            using var inner = NewDisposeScope();
            optimizer.ClearGradients();
            int rows = parts.Sum();
            int[] ids = Ids(step, rows);
            var totals = model.Count(ids, Length) with { MicroBatches = parts.Length };
            using var sums = new LossSums();
            int first = 0;
            foreach (int count in parts)
            {
                using var micro = NewDisposeScope();
                var ids_BT = HostValues.TensorOf<int>(ids.AsSpan(first * Length, count * Length), count, Length).to(int64);
                var at = new TrainingStep(1, step, Steps, 1, first) { Quantize = step >= 8 };
                sums.Add(recorder.Run(model.Prepare(new LossInput(ids_BT, ids_BT, totals) { Tape = new BlockTape(recompute) }, at)));
                first += count;
            }

            var (total, main) = sums.Read(totals);
            double norm = optimizer.ClipGradNorm(1);
            optimizer.Step(1);
            trace.Add($"{step}: {total:R} {main:R} {norm:R} {model.Parameters.Sum(p => p.detach().to(float64).sum().Number()):R}");
            Evaluate(model, step);
        }

        end?.Invoke(recorder);
        return trace;
    }

    private static void Evaluate(LanguageModel model, int step)
    {
        using var quiet = no_grad();
        model.Logits(tensor(Ids(step, 1, 80), 1, 80).to(int64));
    }

    private static int[] Ids(int step, int rows, int length = Length) => [.. Enumerable.Range(0, rows * length).Select(i => ((i * 7) % 31) + (((i * i) + step) % 11))];

    private static ModelPlan Plan(string family, string fields)
    {
        var overrides = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(fields)!;
        var errors = new List<FieldError>();
        return Families.Plan(new ModelSpec { Family = family, Size = "nano", Overrides = overrides }, errors) ?? throw new InvalidOperationException(string.Join(' ', errors));
    }
}

/// <summary>Work that holds nothing.</summary>
internal sealed class Nothing : IDisposable
{
    internal static Nothing ToFree { get; } = new();

    public void Dispose()
    {
    }
}
