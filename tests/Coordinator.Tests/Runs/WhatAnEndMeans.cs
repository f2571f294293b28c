using Hearth.Coordinator.Runs;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Runs;

public sealed class WhatAnEndMeans
{
    private static readonly Lease Lease = new(Guid.Empty, 1);
    private static readonly EndedAttempt Training = new(RunState.Running, Losses: 0, Errors: 0, MaxRestarts: 2, BatchRows: 48, MicroBatch: 16, Recomputes: false, FirstStep: 100, Resumed: true, KeptStep: 100, "studio/0");

    [Theory]
    [InlineData(RunState.Running, AttemptState.Succeeded, RunState.Succeeded)]
    [InlineData(RunState.Pausing, AttemptState.Succeeded, RunState.Succeeded)]
    [InlineData(RunState.Preempting, AttemptState.Stopped, RunState.Queued)]
    [InlineData(RunState.Pausing, AttemptState.Stopped, RunState.Paused)]
    [InlineData(RunState.Running, AttemptState.Stopped, RunState.Queued)]
    [InlineData(RunState.Starting, AttemptState.Lost, RunState.Queued)]
    [InlineData(RunState.Preempting, AttemptState.Lost, RunState.Queued)]
    [InlineData(RunState.Pausing, AttemptState.Lost, RunState.Paused)]
    [InlineData(RunState.Cancelled, AttemptState.Stopped, RunState.Cancelled)]
    [InlineData(RunState.Cancelled, AttemptState.Failed, RunState.Cancelled)]
    [InlineData(RunState.Pausing, AttemptState.Failed, RunState.Paused)]
    [InlineData(RunState.Running, AttemptState.Failed, RunState.Queued)]
    public void The_runs_state_follows_from_its_own_and_the_outcome(RunState before, AttemptState outcome, RunState after)
    {
        var decision = Decide(Training with { State = before }, outcome, FailureCodes.Crashed);

        Assert.Equal(after, decision.Next);
        Assert.True(after == before || RunStates.CanMove(before, after));
    }

    [Theory]
    [InlineData(RunState.Running, 250, 250L, RunState.Paused)]
    [InlineData(RunState.Starting, 250, 250L, RunState.Paused)]
    [InlineData(RunState.Preempting, 250, 250L, RunState.Paused)]
    [InlineData(RunState.Pausing, 250, 250L, RunState.Paused)]
    [InlineData(RunState.Running, 240, 240L, RunState.Queued)]
    [InlineData(RunState.Running, 250, 240L, RunState.Queued)]
    [InlineData(RunState.Cancelled, 250, 250L, RunState.Cancelled)]
    public void A_run_waits_where_it_is_to_once_a_checkpoint_is_there(RunState before, long step, long kept, RunState after)
    {
        var decision = Decide(Training with { State = before, PauseAtStep = 250, KeptStep = kept }, AttemptState.Stopped, null, step: step);

        Assert.Equal(after, decision.Next);
        Assert.True(after == before || RunStates.CanMove(before, after));
    }

    [Theory]
    [InlineData(0, 100L, 1, 0)]
    [InlineData(1, 100L, 2, 2)]
    [InlineData(2, 100L, 3, 4)]
    [InlineData(8, 100L, 9, 256)]
    [InlineData(10, 100L, 11, 600)]
    [InlineData(10, null, 11, 600)]
    [InlineData(10, 101L, 1, 0)]
    public void Losses_back_off_until_an_attempt_leaves_a_newer_checkpoint(int before, long? kept, int after, double seconds)
    {
        var decision = Decide(Training with { Losses = before, KeptStep = kept }, AttemptState.Lost, null, step: 150);

        Assert.Equal((after, TimeSpan.FromSeconds(seconds), RunState.Queued), (decision.Losses, decision.BackOff, decision.Next));
        Assert.Equal(0, decision.Errors);
    }

    [Fact]
    public void Lost_again_and_again_without_a_newer_checkpoint_a_run_fails_in_the_end()
    {
        var run = Training;
        int attempts = 0;
        EndDecision decision;
        do
        {
            decision = Decide(run, AttemptState.Lost, null, step: 150);
            run = run with { Losses = decision.Losses };
        }
        while (decision.Next == RunState.Queued && ++attempts < 100);

        Assert.Equal((RunState.Failed, AttemptEnds.MostLosses), (decision.Next, decision.Losses));
        Assert.Equal("12 attempts in a row were lost without a checkpoint after step 100. The last, on studio/0: Why.", decision.Reason);
        Assert.Equal(RunState.Paused, Decide(run with { State = RunState.Pausing }, AttemptState.Lost, null).Next);
        Assert.Equal((RunState.Queued, 1), Pick(Decide(run with { KeptStep = 101 }, AttemptState.Lost, null)));

        static (RunState, int) Pick(EndDecision d) => (d.Next, d.Losses);
    }

    [Theory]
    [InlineData(FailureCodes.Crashed, 0, RunState.Queued, 1)]
    [InlineData(FailureCodes.NotFinite, 1, RunState.Queued, 2)]
    [InlineData(FailureCodes.Crashed, 2, RunState.Failed, 3)]
    [InlineData(FailureCodes.BadInput, 0, RunState.Failed, 1)]
    public void Own_failures_are_tried_again_as_often_as_allowed_and_bad_input_never(string code, int before, RunState after, int errors)
    {
        var decision = Decide(Training with { Errors = before }, AttemptState.Failed, code);

        Assert.Equal((after, errors), (decision.Next, decision.Errors));
        Assert.Equal(after == RunState.Failed ? "Why." : null, decision.Reason);
    }

    [Theory]
    [InlineData(48, 16, 8)]
    [InlineData(48, 12, 6)]
    [InlineData(45, 15, 5)]
    [InlineData(7, 7, 1)]
    [InlineData(7, 1, null)]
    public void A_halved_micro_batch_still_divides_the_batch(int batch, int micro, int? halved) => Assert.Equal(halved, SmallerSteps.Halve(batch, micro));

    [Fact]
    public void Out_of_memory_takes_fewer_rows_then_recomputes_then_ends_and_costs_no_retry()
    {
        var halved = Decide(Training with { Errors = 2 }, AttemptState.Failed, FailureCodes.OutOfMemory);
        var recomputed = Decide(Training with { Errors = 2, MicroBatch = 1 }, AttemptState.Failed, FailureCodes.OutOfMemory);
        var ended = Decide(Training with { MicroBatch = 1, Recomputes = true }, AttemptState.Failed, FailureCodes.OutOfMemory);

        Assert.Equal((RunState.Queued, new SmallerSteps(8, false), 2), (halved.Next, halved.Smaller, halved.Errors));
        Assert.Equal("studio/0 ran out of memory at 16 rows; it goes on with 8 rows at a time. Batch and data order stay.", halved.Note);
        Assert.Equal((RunState.Queued, new SmallerSteps(1, true), 2), (recomputed.Next, recomputed.Smaller, recomputed.Errors));
        Assert.Equal(
            "studio/0 ran out of memory at one row; it goes on with one row at a time and recomputed blocks (train.recompute: block). Batch and data order stay.",
            recomputed.Note);
        Assert.Equal((RunState.Failed, null, "Why."), (ended.Next, ended.Smaller, ended.Reason));
    }

    [Fact]
    public void A_trainer_killed_for_its_hosts_memory_goes_the_same_way_and_ends_with_what_would_fit()
    {
        var halved = Decide(Training, AttemptState.Failed, FailureCodes.HostOutOfMemory);
        var ended = Decide(Training with { MicroBatch = 1, Recomputes = true, ForecastBytes = 9L << 30 }, AttemptState.Failed, FailureCodes.HostOutOfMemory);

        Assert.Equal((RunState.Queued, new SmallerSteps(8, false), 0, 0), (halved.Next, halved.Smaller, halved.Losses, halved.Errors));
        Assert.Equal((RunState.Failed, null), (ended.Next, ended.Smaller));
        Assert.Equal(
            "Why. studio/0 had one row at a time (train.micro_batch: 1) with train.recompute: block, the least that there is: 9.0 GB by forecast. "
            + "A smaller model.size or data.seq_len, or a device with more memory, would fit.",
            ended.Reason);
    }

    [Fact]
    public void A_corrupt_checkpoint_costs_no_retry_but_is_the_runs_own_failure_when_it_had_none()
    {
        Assert.Equal((RunState.Queued, 2), Pick(Decide(Training with { Errors = 2 }, AttemptState.Failed, FailureCodes.CorruptCheckpoint)));
        Assert.Equal((RunState.Failed, 3), Pick(Decide(Training with { Errors = 2, Resumed = false }, AttemptState.Failed, FailureCodes.CorruptCheckpoint)));

        static (RunState, int) Pick(EndDecision d) => (d.Next, d.Errors);
    }

    [Theory]
    [InlineData(AttemptState.Lost, RunState.Running, 959, 900L, "Why. It was at about step 959; it goes on from step 900.")]
    [InlineData(AttemptState.Lost, RunState.Starting, 0, null, "Why. It was at about step 0; it starts again.")]
    [InlineData(AttemptState.Stopped, RunState.Pausing, 959, 959L, "Paused at step 959.")]
    [InlineData(AttemptState.Stopped, RunState.Pausing, 959, 900L, "Paused. Its attempt ended at about step 959, without a checkpoint there; it goes on from step 900.")]
    [InlineData(AttemptState.Stopped, RunState.Preempting, 959, 959L, "Gave studio/0 away at step 959.")]
    [InlineData(AttemptState.Stopped, RunState.Running, 959, null, "studio/0 stopped it at about step 959, without a checkpoint there; it starts again.")]
    public void A_note_says_where_the_attempt_was_and_where_the_run_goes_on(AttemptState outcome, RunState state, long step, long? kept, string note) =>
        Assert.Equal(note, Decide(Training with { State = state, KeptStep = kept }, outcome, null, step).Note);

    [Fact]
    public void A_checkpoint_that_cannot_be_read_is_named_by_its_step()
    {
        var corrupt = Decide(Training with { FirstStep = 900, KeptStep = 800 }, AttemptState.Failed, FailureCodes.CorruptCheckpoint, step: 900);

        Assert.Equal("Why. It could not begin at step 900; the coordinator reads that checkpoint itself before the run goes on.", corrupt.Note);
    }

    private static EndDecision Decide(EndedAttempt run, AttemptState outcome, string? code, long step = 100) =>
        AttemptEnds.Decide(run, new AttemptEnd(Lease, outcome, step, null, code, "Why."));
}
