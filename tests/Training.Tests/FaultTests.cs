using Hearth.Protocol;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class FaultTests(StraightRun straight) : IClassFixture<StraightRun>
{
    [Fact]
    public void A_disk_that_is_full_for_one_checkpoint_costs_that_checkpoint_and_nothing_else()
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        var runner = new JobRunner(sink, control, TimeProvider.System)
        {
            Open = name => name.Contains("000000008", StringComparison.Ordinal) ? new SmallDisk(File.Create(name), () => 1000, _ => { }) : File.Create(name),
        };

        int exit = runner.Run(TinyRun.Job(straight.Folder, "full-once"));

        Assert.Equal(ExitCodes.Done, exit);
        var failed = Assert.Single(sink.Of<CheckpointFailedEvent>());
        Assert.Equal(8, failed.Step);
        Assert.Contains("No space left", failed.Reason, StringComparison.Ordinal);
        Assert.Equal([4L, 12], sink.Of<CheckpointEvent>().Select(e => e.Step));
        Assert.Equal(2, Directory.GetDirectories(straight.Folder.At("full-once", "checkpoints")).Length);
        Assert.Equal(straight.Trace, sink.Of<DoneEvent>()[0].Trace);
    }

    [Fact]
    public void A_disk_that_stays_full_is_no_success()
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        var runner = new JobRunner(sink, control, TimeProvider.System) { Open = name => new SmallDisk(File.Create(name), () => 0, _ => { }) };

        int exit = runner.Run(TinyRun.Job(straight.Folder, "full"));

        Assert.Equal(ExitCodes.Crashed, exit);
        Assert.Equal(TinyRun.Steps, sink.Of<StepEvent>().Count);
        Assert.IsType<FailedEvent>(sink.All[^1]);
        Assert.Empty(Directory.GetDirectories(straight.Folder.At("full", "checkpoints")));
    }

    [Fact]
    public void A_real_file_size_limit_is_survived_by_the_real_program()
    {
        var job = TinyRun.Job(straight.Folder, "limited");
        using var trainer = new TrainerProcess(TrainerProcess.WriteJob(job), "export DOTNET_EnableWriteXorExecute=0; trap '' XFSZ; ulimit -f 20");

        var failed = trainer.Next<CheckpointFailedEvent>();
        trainer.WaitForExit();

        Assert.Equal(4, failed.Step);
        Assert.Equal(TinyRun.Steps, trainer.Seen.OfType<StepEvent>().Count());
        Assert.Empty(Directory.GetDirectories(straight.Folder.At("limited", "checkpoints")));
    }

    [Fact]
    public void A_corrupt_checkpoint_is_refused_by_the_files_name()
    {
        string copy = Copy("corrupt");
        string weights = Path.Combine(copy, CheckpointFolder.WeightsName);
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^3] ^= 0x10;
        File.WriteAllBytes(weights, bytes);

        var sink = straight.Run("corrupt-run", copy, new TrainerControl());

        var failed = Assert.IsType<FailedEvent>(sink.All[^1]);
        Assert.Equal(FailureCodes.CorruptCheckpoint, failed.Code);
        Assert.Contains(weights, failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_alone_whose_checkpoints_are_all_corrupt_stops_and_keeps_them()
    {
        string checkpoints = straight.Folder.At("all-corrupt", "checkpoints");
        foreach (long step in new[] { 8, 12 })
        {
            string copy = SealedCopy.Of(straight.Checkpoint(step), CheckpointFolder.PathOf(checkpoints, step));
            File.WriteAllText(Path.Combine(copy, "manifest.json"), "{");
        }

        var sink = new ListSink();
        using var control = new TrainerControl();
        var e = Assert.Throws<BadInputException>(() => new AloneRun(sink, control, TimeProvider.System).Run(TinyRun.Job(straight.Folder, "all-corrupt")));

        Assert.Contains($"None of the checkpoints in {checkpoints} can be used (2 refused).", e.Message, StringComparison.Ordinal);
        var refused = sink.Of<LogEvent>().Select(l => l.Text).ToArray();
        Assert.Equal(2, refused.Length);
        Assert.EndsWith(" The one before it is tried.", refused[0], StringComparison.Ordinal);
        Assert.DoesNotContain("before it", refused[1], StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetDirectories(checkpoints).Length);
    }

    [Fact]
    public void Another_datasets_tokenizer_is_refused_with_both_hashes()
    {
        string copy = Copy("other-tokenizer");
        string tokenizer = Path.Combine(copy, TokenizerFile.JsonName);
        string before = SealedCopy.Hash(tokenizer);
        File.AppendAllText(tokenizer, "\n");
        SealedCopy.Seal(copy);

        var failed = Assert.IsType<FailedEvent>(straight.Run("other-tokenizer-run", copy, new TrainerControl()).All[^1]);

        Assert.Equal(FailureCodes.BadInput, failed.Code);
        Assert.Contains(before, failed.Message, StringComparison.Ordinal);
        Assert.Contains(SealedCopy.Hash(tokenizer), failed.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void The_micro_batch_changes_neither_the_data_order_nor_the_global_gradient(int rows)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(straight.Folder, $"micro-{rows}") with { MicroBatch = rows });

        var expected = straight.Sink.Of<StepEvent>();
        var actual = sink.Of<StepEvent>();
        Assert.Equal(expected.Count, actual.Count);
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i].Loss, actual[i].Loss, 1e-3);
        }

        // The first step has seen no rounding of an update yet.
        Assert.Equal(expected[0].GradNorm, actual[0].GradNorm, 1e-4);
    }

    private string Copy(string name) => SealedCopy.Of(straight.Checkpoint(8), straight.Folder.At(name));
}
