using System.Text.Json;
using Hearth.Models.Blocks;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using Hearth.Training.Data;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>JSON lines with a class each, from the file to the decision head's loss of a real run.</summary>
public sealed class DecisionRowsTests : IDisposable
{
    private const int Length = 24;
    private static readonly string[] Moods = ["good day sun", "bad night rain", "calm sea wind"];

    private readonly TempFolder _folder = new();

    public DecisionRowsTests() => File.WriteAllLines(_folder.At("text.jsonl"), Enumerable.Range(0, 80).Select(Line));

    // Class 3 never comes, every tenth line decides nothing, every eighth decides at its first token, every 20th is longer than a row.
    private static string Line(int i)
    {
        var line = new Dictionary<string, object> { ["text"] = string.Join(" ", Enumerable.Repeat(Moods[i % 3], i % 20 == 7 ? 40 : 1 + (i % 3))) + $" {i}" };
        if (i % 10 != 9)
        {
            line["decision_label"] = i % 3;
        }

        if (i % 8 == 0)
        {
            line["decision_pos"] = 0;
        }

        return JsonSerializer.Serialize(line);
    }

    private static RunSpec Spec(int micro = 2) => TinyRun.Spec(s => s with
    {
        Model = s.Model with
        {
            Overrides = new(s.Model.Overrides)
            {
                ["decision_head_enabled"] = JsonSerializer.SerializeToElement(true),
                ["class_weighted_decision"] = JsonSerializer.SerializeToElement(true),
                ["calibration_loss_weight"] = JsonSerializer.SerializeToElement(0.2),
            },
        },
        Data = s.Data with { SeqLen = Length },
        Train = s.Train with { BatchTokens = 8 * Length, MicroBatch = micro, Steps = 24 },
    });

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_row_is_a_document_with_its_class_and_pads_are_no_targets()
    {
        using var data = Open();
        using var train = Shard.Open(Path.Combine(Prepared(), PreparedDataset.TrainName));
        var all = Enumerable.Range(0, 40).Select(step => data.Batch(step)).ToList();
        var rows = all.SelectMany(batch => Enumerable.Range(0, batch.Count).Select(r => (
            Ids: batch.Ids[(r * Length)..((r + 1) * Length)],
            Labels: batch.Labels[(r * Length)..((r + 1) * Length)],
            Size: batch.Lengths![r],
            Position: batch.Decisions!.Positions[r],
            Label: batch.Decisions.Labels[r]))).ToList();

        Assert.All(rows, row =>
        {
            Assert.Equal(row.Ids[..row.Size], row.Labels[..row.Size]);
            Assert.All(row.Labels[row.Size..], label => Assert.Equal(-100, label));
            Assert.True(row.Position == -1 ? row.Label == -1 : row.Label is >= 0 and < 3 && (row.Position == 0 || row.Position == row.Size - 1));

            // A whole document closes with the end token; one without was cut at the row's end.
            Assert.True(row.Ids[row.Size - 1] == data.Tokenizer.EndToken || row.Size == Length);
        });
        Assert.Contains(rows, row => row.Size < Length);
        Assert.Contains(rows, row => row.Position == -1);
        Assert.Contains(rows, row => row.Position == 0);

        // An epoch has each document once: classes of the stream's first epoch are those of the shard.
        int[] counts = [.. Enumerable.Range(0, 4).Select(c => train.Rows!.Count(r => r.Decides && r.DecisionLabel == c))];
        Assert.Equal(counts, Enumerable.Range(0, 4).Select(c => rows.Take((int)train.DocumentCount).Count(r => r.Label == c)));
        Assert.Equal(DecisionHeadConfig.ClassWeights([.. counts.Select(n => (long)n)]), all[0].Decisions!.ClassWeights);
        Assert.Equal(4.0, all[0].Decisions!.ClassWeights[3]);
    }

    [Fact]
    public void Check11_a_shard_with_rows_opened_anew_gives_the_next_batch()
    {
        using var straight = Open();
        for (long step = 0; step < 30; step += 7)
        {
            using var later = Open();
            var (expected, got) = (straight.Batch(step), later.Batch(step));
            Assert.Equal(expected.Ids, got.Ids);
            Assert.Equal(expected.Labels, got.Labels);
            Assert.Equal(expected.Decisions!.Positions, got.Decisions!.Positions);
            Assert.Equal(expected.Decisions.Labels, got.Decisions.Labels);
        }
    }

    [Fact]
    public void The_head_learns_its_classes_in_a_run_and_a_resumed_one_ends_with_the_same_trace()
    {
        var straight = Train("straight", Spec());
        var resumed = Train("resumed", Spec(), CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), 20));

        Assert.Equal(Assert.IsType<DoneEvent>(straight.All[^1]).Trace, Assert.IsType<DoneEvent>(resumed.All[^1]).Trace);
        double[] decision = [.. straight.Of<EvalEvent>().Select(e => e.Terms![DecisionHeadConfig.DecisionTerm])];
        Assert.True(decision[^1] < 0.7 * decision[0], $"the decision's loss went {string.Join(", ", decision)}");
        Assert.All(straight.Of<EvalEvent>(), e => Assert.InRange(e.Terms![DecisionHeadConfig.CalibrationTerm], 0, 2));
        Assert.Empty(straight.Of<LogEvent>());
    }

    [Fact]
    public void A_batch_in_one_piece_or_in_four_has_the_same_losses()
    {
        var whole = Train("whole", Spec(micro: 8));
        var pieces = Train("pieces", Spec(micro: 2));

        foreach (var (a, b) in whole.Of<StepEvent>().Zip(pieces.Of<StepEvent>()))
        {
            Assert.Equal(a.Loss, b.Loss, 1e-4);
            Assert.Equal(a.GradNorm, b.GradNorm, 1e-3 * (1 + a.GradNorm));
        }
    }

    [Fact]
    public void Labels_without_a_head_and_a_head_without_labels_are_said()
    {
        var plain = Train("plain", Spec() with { Model = TinyRun.Spec().Model });
        Assert.Contains("the labels are not used", Assert.Single(plain.Of<LogEvent>()).Text, StringComparison.Ordinal);

        File.WriteAllLines(_folder.At("text.jsonl"), Enumerable.Range(0, 80).Select(i => JsonSerializer.Serialize(new { text = string.Join(" ", Enumerable.Repeat(Moods[i % 3], 9)) + $" {i}" })));
        var unlabelled = Train("unlabelled", Spec());
        Assert.Contains("the head does not learn", Assert.Single(unlabelled.Of<LogEvent>()).Text, StringComparison.Ordinal);
    }

    private TrainerJob Job(string work, RunSpec spec, string? resume = null) =>
        TinyRun.Job(_folder, work, spec, resume) with { DatasetPath = _folder.At("text.jsonl") };

    private ListSink Train(string work, RunSpec spec, string? resume = null)
    {
        using var control = new TrainerControl();
        var sink = new ListSink();
        new JobRunner(sink, control, TimeProvider.System).Run(Job(work, spec, resume));
        return sink;
    }

    private ShardData Open() => ShardData.Open(Job("data", Spec()), 300, new ListSink(), new TrainerControl());

    private string Prepared() => Assert.Single(Directory.GetDirectories(_folder.At("cache"), "prepared-*"));
}
