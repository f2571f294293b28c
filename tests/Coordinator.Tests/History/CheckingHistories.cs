using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.History;

/// <summary>A checker that finds nothing is worth as much as what it finds: one broken promise each.</summary>
public sealed class CheckingHistories
{
    private const long Steps = 40;
    private static readonly Guid Run = Guid.Parse("6f9619ff-8b86-d011-b42d-00c04fc964ff"), Here = Guid.NewGuid(), There = Guid.NewGuid();
    private static readonly Lease First = new(Guid.NewGuid(), 1), Second = new(Guid.NewGuid(), 2);

    // A run that was moved once, with nothing to complain of.
    private static readonly Entry[] Good =
    [
        new Submitted(0, 1, Run, Steps),
        new Placed(2, 3, Here, 0, Run, First),
        new Resumed(3, 3, Run, First, 0),
        new Measured(4, 5, Run, First, 1, 25),
        new Committed(6, 7, Run, First, 20, At(20), true),
        new Reported(8, 9, Run, First, 25),
        new Released(10, 10, Here, 0, First),
        new Placed(11, 12, There, 0, Run, Second),
        new Resumed(12, 12, Run, Second, 20),
        new Measured(13, 14, Run, Second, 21, 40),
        new Released(15, 15, There, 0, Second),
        new Ended(16, 17, Run, Second, AttemptState.Succeeded, Steps, At(Steps)),
    ];

    [Fact]
    public void A_clean_history_has_nothing_to_complain_of() => Assert.Empty(Check(Good));

    [Fact]
    public void What_an_old_epoch_writes_after_a_new_one_began_is_found()
    {
        Assert.Contains("a report of step 26 of epoch 1 was taken in after epoch 2", Check([.. Good, new Reported(13, 14, Run, First, 26)]), StringComparison.Ordinal);
        Assert.Contains("a checkpoint of step 25 of epoch 1 was taken in after epoch 2", Check([.. Good, new Committed(13, 14, Run, First, 25, At(25), true)], newest: 25), StringComparison.Ordinal);
        Assert.Contains("points of steps 26 to 27 of epoch 1 was taken in after epoch 2", Check([.. Good, new Measured(13, 14, Run, First, 26, 27)]), StringComparison.Ordinal);

        // What was asked for before is on its way.
        Assert.Empty(Check([.. Good, new Reported(11, 14, Run, First, 26)]));
    }

    [Fact]
    public void An_epoch_for_two_and_one_that_goes_back_are_found()
    {
        Assert.Contains("epoch 2 was given to 2 attempts", Check([.. Good, new Placed(11, 12, Here, 0, Run, Second with { AttemptId = Guid.NewGuid() })]), StringComparison.Ordinal);
        Assert.Contains("epoch 1 was placed after epoch 2", Check([.. Good, new Placed(13, 14, Here, 0, Run, First)]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_with_two_attempts_is_found() =>
        Assert.Contains("while", Check([.. Good, new Placed(4, 5, Here, 0, Guid.NewGuid(), Second with { AttemptId = Guid.NewGuid() })]), StringComparison.Ordinal);

    [Fact]
    public void A_checkpoint_that_was_passed_over_or_made_up_is_found()
    {
        Assert.Contains("began at step 0 though step 20 had been acknowledged", Check([.. Good, new Resumed(12, 12, Run, Second, 0)]), StringComparison.Ordinal);
        Assert.Contains("began at step 30, of which nobody sent a checkpoint", Check([.. Good, new Resumed(12, 12, Run, Second, 30)]), StringComparison.Ordinal);

        // One whose answer got lost may be there.
        Assert.Empty(Check([.. Good, new Committed(8, 9, Run, First, 24, At(24), false), new Resumed(12, 12, Run, Second, 24)]));
    }

    [Fact]
    public void A_trace_that_differs_is_found()
    {
        Assert.Contains("a checkpoint has trace", Check([.. Good, new Committed(13, 14, Run, Second, 30, At(29), true)], newest: 30), StringComparison.Ordinal);
        Assert.Contains("the run's page has trace", Check(Good, trace: At(39)), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_missing_is_found()
    {
        Assert.Contains("was accepted and is not there", Check([.. Good, new Submitted(0, 1, Guid.NewGuid(), 1)]), StringComparison.Ordinal);
        Assert.Contains("the checkpoint of step 20 was acknowledged and is not there", Check(Good, newest: 10), StringComparison.Ordinal);
        Assert.Contains("a point of step 40 was acknowledged and is not there", Check(Good, lastPoint: 39), StringComparison.Ordinal);
        Assert.Contains("its success in epoch 2 was acknowledged, and it is Queued", Check(Good, state: RunState.Queued), StringComparison.Ordinal);
    }

    private static string At(long step) => Chain.Straight(Run, step);

    private static string Check(IReadOnlyList<Entry> entries, RunState state = RunState.Succeeded, string? trace = null, long newest = 20, long lastPoint = 40) => string.Join(
        '\n',
        HistoryChecker.Check(entries, new Dictionary<Guid, RunAtTheEnd>
        {
            [Run] = new(state, trace ?? At(Steps), new HashSet<long> { newest }, Enumerable.Range(1, (int)lastPoint).Select(s => (long)s).ToHashSet()),
        }));
}
