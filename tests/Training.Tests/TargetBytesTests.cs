using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Evaluation;
using Hearth.Tokenizers;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>What turns nats per token into bits per byte, and which held-out rows are measured.</summary>
public sealed class TargetBytesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Targets_are_the_labels_that_follow_a_token_of_their_document_and_bytes_those_of_their_text()
    {
        var tokenizer = new BpeTrainer().Train(257);
        int[] ids = [.. tokenizer.Encode("añb"), 0, .. tokenizer.Encode("cd")];
        var rows = new TrainingRows([.. ids, .. ids], [.. ids, .. ids], ids.Length);

        // "ñ" is two bytes; the first token of a row follows none, and the end token has no text.
        Assert.Equal(new TargetBytes(12, 2 * (3 + 2)), TargetBytes.Of(rows, tokenizer));
        Assert.Equal(new TargetBytes(10, 2 * (3 + 1)), TargetBytes.Of(rows with { Documents = [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1] }, tokenizer));
        Assert.Equal(new TargetBytes(3, 2), TargetBytes.Of(new TrainingRows(ids, [-100, -100, -100, ids[3], 0, ids[5], -100], ids.Length), tokenizer));
    }

    [Fact]
    public void Bits_per_byte_are_the_nats_of_all_targets_over_their_bytes()
    {
        var targets = new TargetBytes(12, 10);

        Assert.Equal(1.5 * 12 / Math.Log(2) / 10, targets.BitsPerByte(1.5, 12));
        Assert.Null(targets.BitsPerByte(1.5, 11));
        Assert.Null(new TargetBytes(1, 0).BitsPerByte(1.5, 1));
    }

    [Fact]
    public void Every_family_reports_them()
    {
        foreach (var family in Families.All)
        {
            var recipe = family.Recipe("nano");
            var spec = recipe with
            {
                Data = recipe.Data with { Dataset = "data", SeqLen = 64, ValidationFraction = 0.2 },
                Train = recipe.Train with { Steps = 2, BatchTokens = 128, LengthCurriculum = LengthCurriculum.None },
                Eval = new EvalSpec { EverySteps = 1, Rows = 3 },
                Optimizer = recipe.Optimizer with { WarmupSteps = 0 },
                Sample = recipe.Sample with { EverySteps = 0 },
            };
            var sink = new ListSink();
            using var control = new TrainerControl();
            new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, family.Name, spec));

            Assert.Empty(sink.Of<FailedEvent>());
            Assert.All(sink.Of<EvalEvent>(), e => Assert.True(e.Terms?.GetValueOrDefault(EvalEvent.BitsPerByte) is > 0 and < 20, $"{family.Name}: {e}"));
            Assert.Equal(2, sink.Of<EvalEvent>().Count());
        }
    }

    [Fact]
    public void More_rows_begin_with_those_of_fewer_and_another_runs_seed_changes_none()
    {
        using var one = Open(TinyRun.Spec());
        using var other = Open(TinyRun.Spec() with { Train = TinyRun.Spec().Train with { Seed = 99 } });
        var few = one.Validation(2);
        var more = one.Validation(4);

        Assert.Equal(few.Ids, more.Ids[..few.Ids.Length]);
        Assert.Equal(more.Ids, other.Validation(4).Ids);
        Assert.Equal(4, Enumerable.Range(0, 4).Select(r => string.Join(',', more.Ids[(r * more.Length)..((r + 1) * more.Length)])).Distinct().Count());
    }

    private ShardData Open(RunSpec spec) => ShardData.Open(TinyRun.Job(_folder, "data", spec), 300, new ListSink(), new TrainerControl());
}
