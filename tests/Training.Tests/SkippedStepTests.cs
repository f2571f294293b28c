using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>Steps that are not finite (optimizers' check 9): left out, counted, bounded, and the same after a resume.</summary>
public sealed class SkippedStepTests(StraightRun straight) : IClassFixture<StraightRun>
{
    // With an embedding of its own, a word without a number spoils the steps that read it and no other.
    private static RunSpec Untied => TinyRun.Spec(s => s with
    {
        Model = s.Model with { Overrides = new(s.Model.Overrides) { ["tie_embeddings"] = JsonSerializer.SerializeToElement(false) } },
        Train = s.Train with { Steps = 60 },
        Eval = s.Eval with { EverySteps = 0 },
        Sample = s.Sample with { EverySteps = 0 },
    });

    [Fact]
    public void A_step_that_is_not_finite_is_skipped_and_counted_and_the_next_ones_train()
    {
        var (checkpoint, bad) = WithOneBadWord("one");

        var sink = Run("one-run", Untied, checkpoint);

        var done = Assert.IsType<DoneEvent>(sink.All[^1]);
        Assert.Equal(bad, sink.Of<SkippedEvent>().Select(e => e.Step));
        Assert.Equal(Enumerable.Range(5, 56).Select(i => (long)i).Except(bad), sink.Of<StepEvent>().Select(e => e.Step));
        Assert.All(sink.Of<StepEvent>(), e => Assert.True(double.IsFinite(e.Loss)));
        Assert.Equal(bad.Length, done.Skipped);
        Assert.Contains($"Step {bad[0]} is not finite: loss NaN", sink.Of<SkippedEvent>()[0].What, StringComparison.Ordinal);
    }

    [Fact]
    public void A_skipped_step_leaves_weights_moments_and_their_count_alone_and_reads_its_rows()
    {
        var (checkpoint, bad) = WithOneBadWord("alone");
        string Folder(string work, long step) => CheckpointFolder.PathOf(straight.Folder.At(work, "checkpoints"), step);
        Run("alone-run", Every(bad[0]), checkpoint);
        Run("alone-before", Every(bad[0] - 1), checkpoint);

        string before = bad[0] == 5 ? checkpoint : Folder("alone-before", bad[0] - 1);
        foreach (string name in (string[])[CheckpointFolder.WeightsName, CheckpointFolder.OptimizerName])
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(before, name)), File.ReadAllBytes(Path.Combine(Folder("alone-run", bad[0]), name)));
        }

        var state = CheckpointFolder.ReadJson<TrainState>(Folder("alone-run", bad[0]), CheckpointFolder.StateName);
        Assert.Equal((bad[0], 1L, 1, bad[0] * 128), (state.Step, state.Skipped, state.SkippedInARow, state.Tokens));
        var later = CheckpointFolder.ReadJson<TrainState>(Folder("alone-run", 60), CheckpointFolder.StateName);
        Assert.Equal((bad.Length, 0), (later.Skipped, later.SkippedInARow));
    }

    [Fact]
    public void Resuming_after_a_skipped_step_ends_with_the_same_trace_and_bytes()
    {
        var (checkpoint, bad) = WithOneBadWord("exact");
        var spec = Every(bad[0]);
        var whole = Run("exact-run", spec, checkpoint);
        string root = straight.Folder.At("exact-run", "checkpoints");

        var resumed = Run("exact-resumed", spec, CheckpointFolder.PathOf(root, bad[0]));

        var (straightEnd, resumedEnd) = (whole.Of<DoneEvent>()[0], resumed.Of<DoneEvent>()[0]);
        Assert.Equal((straightEnd.Step, straightEnd.Trace, straightEnd.FinalLoss, straightEnd.Skipped), (resumedEnd.Step, resumedEnd.Trace, resumedEnd.FinalLoss, resumedEnd.Skipped));
        foreach (string name in (string[])[CheckpointFolder.WeightsName, CheckpointFolder.OptimizerName])
        {
            Assert.Equal(
                File.ReadAllBytes(Path.Combine(CheckpointFolder.PathOf(root, 60), name)),
                File.ReadAllBytes(Path.Combine(CheckpointFolder.PathOf(straight.Folder.At("exact-resumed", "checkpoints"), 60), name)));
        }
    }

    [Fact]
    public void More_than_ten_in_a_row_end_the_run_with_the_steps_numbers()
    {
        string copy = SealedCopy.Poisoned(straight.Checkpoint(8), straight.Folder.At("poisoned"));

        var sink = straight.Run("poisoned-run", copy, new TrainerControl(), TinyRun.Spec(s => s with { Train = s.Train with { Steps = 40 } }));

        Assert.Equal(Enumerable.Range(9, 10).Select(i => (long)i), sink.Of<SkippedEvent>().Select(e => e.Step));
        var failed = Assert.IsType<FailedEvent>(sink.All[^1]);
        Assert.Equal(FailureCodes.NotFinite, failed.Code);
        Assert.Contains("Step 19 is not finite: loss NaN", failed.Message, StringComparison.Ordinal);
        Assert.Contains("So were the 10 steps before it", failed.Message, StringComparison.Ordinal);
    }

    // The checkpoint of step 4 with no number in the row of a word that few of the later steps read, and those steps.
    private (string Checkpoint, long[] Steps) WithOneBadWord(string work)
    {
        Run($"{work}-start", Untied, null);
        string start = CheckpointFolder.PathOf(straight.Folder.At($"{work}-start", "checkpoints"), 4);
        using var control = new TrainerControl();
        using var data = ShardData.Open(TinyRun.Job(straight.Folder, $"{work}-start", Untied), 300, new ListSink(), control);
        var read = Enumerable.Range(5, 56).Select(i => (Step: (long)i, Ids: data.Batch(i - 1).Ids.ToHashSet())).ToList();
        int word = Enumerable.Range(0, 300).Where(id => read.Any(r => r.Ids.Contains(id)) && !read[^1].Ids.Contains(id)).MinBy(id => read.Count(r => r.Ids.Contains(id)));
        var (from, to) = SealedCopy.Extent(start, "tok_emb");
        int row = (to - from) / 300;
        return (SealedCopy.Poisoned(start, straight.Folder.At($"{work}-bad"), from + (word * row), from + ((word + 1) * row)), [.. read.Where(r => r.Ids.Contains(word)).Select(r => r.Step)]);
    }

    private static RunSpec Every(long steps) => Untied with { Checkpoint = new CheckpointSpec { EverySteps = (int)steps, KeepLast = 100 } };

    private ListSink Run(string work, RunSpec spec, string? resume)
    {
        using var control = new TrainerControl();
        var sink = straight.Run(work, resume, control, spec);
        Assert.True(sink.All[^1] is DoneEvent, string.Join('\n', sink.Of<FailedEvent>()));
        return sink;
    }
}
