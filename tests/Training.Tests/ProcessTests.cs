using Hearth.Protocol;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>The real program, killed and told to stop in the ways an agent, an owner or a power cut would.</summary>
public sealed class ProcessTests(StraightRun straight) : IClassFixture<StraightRun>
{
    [Theory]
    [InlineData("stop command")]
    [InlineData("end of input")]
    [InlineData("SIGTERM")]
    public void A_stop_checkpoints_the_last_step_exits_10_and_the_resumed_run_is_the_same(string how)
    {
        string work = "process-" + how.Replace(' ', '-');
        using (var trainer = new TrainerProcess(Job(work)))
        {
            trainer.Next<StepEvent>(e => e.Step == 3);
            trainer.Stop(how);

            Assert.Equal(ExitCodes.Stopped, trainer.WaitForExit());
            var stopped = Assert.IsType<StoppedEvent>(trainer.Seen[^1]);
            Assert.Equal(stopped.Step, CheckpointFolder.Verify(Newest(work)!).Step);
        }

        AssertFinishesTheSame(work);
    }

    [Fact]
    public void A_SIGKILL_between_steps_loses_only_the_steps_after_the_last_checkpoint()
    {
        using (var trainer = new TrainerProcess(Job("killed")))
        {
            trainer.Next<CheckpointEvent>();
            trainer.Next<StepEvent>();
            trainer.Kill();
            trainer.WaitForExit();
        }

        Assert.NotNull(Newest("killed"));
        AssertFinishesTheSame("killed");
    }

    [Fact]
    public void A_SIGKILL_while_a_checkpoint_is_being_written_leaves_the_one_before_it()
    {
        string root = straight.Folder.At("mid-write", "checkpoints");
        using (var trainer = new TrainerProcess(Job("mid-write")))
        {
            trainer.Next<CheckpointEvent>(e => e.Step == 4);
            string temporary = CheckpointFolder.PathOf(root, 8) + ".tmp";
            SpinWait.SpinUntil(() => Directory.Exists(temporary) || Directory.Exists(CheckpointFolder.PathOf(root, 8)), TimeSpan.FromSeconds(30));
            trainer.Kill();
            trainer.WaitForExit();
        }

        // Whichever moment was hit: what is listed is whole.
        foreach (string path in CheckpointFolder.List(root))
        {
            CheckpointFolder.Verify(path);
        }

        AssertFinishesTheSame("mid-write");
        Assert.Empty(Directory.GetDirectories(root, "*.tmp"));
    }

    [Fact]
    public void Asked_for_a_sample_and_a_checkpoint_it_gives_both_without_changing_the_run()
    {
        using var trainer = new TrainerProcess(Job("asked"));
        trainer.Send(new TrainerCommand("sample", "on a ", 4, 0));
        trainer.Send(new TrainerCommand("checkpoint"));
        Assert.Equal("on a ", trainer.Next<SampleEvent>(e => e.Prompt == "on a ").Prompt);
        var done = trainer.Next<DoneEvent>();

        Assert.Equal(ExitCodes.Done, trainer.WaitForExit());
        Assert.Equal(straight.Trace, done.Trace);
    }

    [Fact]
    public void A_wrong_job_is_refused_in_the_protocol_with_exit_2()
    {
        using var folder = new TempFolder();
        var spec = TinyRun.Spec();
        string path = TrainerProcess.WriteJob(TinyRun.Job(folder, "work", spec with { Train = spec.Train with { Steps = 0 } }));
        using var trainer = new TrainerProcess(path);

        var failed = trainer.Next<FailedEvent>();

        Assert.Equal(ExitCodes.BadInput, trainer.WaitForExit());
        Assert.Equal(FailureCodes.BadInput, failed.Code);
        Assert.Contains("train.steps is 0", failed.Message, StringComparison.Ordinal);
    }

    private void AssertFinishesTheSame(string work)
    {
        using var trainer = new TrainerProcess(Job(work, Newest(work)));
        var done = trainer.Next<DoneEvent>();
        Assert.Equal(ExitCodes.Done, trainer.WaitForExit());
        Assert.Equal(straight.Trace, done.Trace);
        string end = CheckpointFolder.PathOf(straight.Folder.At(work, "checkpoints"), TinyRun.Steps);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(straight.Checkpoint(TinyRun.Steps), CheckpointFolder.WeightsName)),
            File.ReadAllBytes(Path.Combine(end, CheckpointFolder.WeightsName)));
    }

    private string Job(string work, string? resume = null) => TrainerProcess.WriteJob(TinyRun.Job(straight.Folder, work, resume: resume));

    private string? Newest(string work) => CheckpointFolder.List(straight.Folder.At(work, "checkpoints")).LastOrDefault();
}
