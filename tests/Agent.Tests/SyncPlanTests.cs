using Hearth.Agent.Tests.Support;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>From an answer to actions: pure, so a table of small worlds.</summary>
public sealed class SyncPlanTests
{
    private static readonly Lease One = new(Guid.NewGuid(), 1);
    private static readonly Lease Two = new(Guid.NewGuid(), 2);

    [Fact]
    public void A_new_assignment_is_started_once_whatever_it_is_repeated()
    {
        var answer = Answer with { Assignments = [Assign(One), Assign(One)] };

        Assert.Equal(One, Assert.IsType<AgentAction.Start>(Assert.Single(SyncPlan.Decide(answer, View()))).Assignment.Lease);
        Assert.Empty(SyncPlan.Decide(answer, View() with { Known = new HashSet<Lease> { One } }));
        Assert.Empty(SyncPlan.Decide(answer, View() with { Ended = [One] }));
    }

    [Fact]
    public void A_revoked_attempt_is_fenced_and_no_command_for_it_is_obeyed()
    {
        var answer = Answer with { Revoked = [One.AttemptId], Commands = [Order(5, One, AttemptCommandKind.Stop)] };

        Assert.Equal([new AgentAction.Fence(One)], SyncPlan.Decide(answer, View(Live(One))));
    }

    [Fact]
    public void A_newer_epoch_of_the_same_attempt_fences_the_older_before_it_starts()
    {
        var newer = One with { Epoch = 9 };

        var actions = SyncPlan.Decide(Answer with { Assignments = [Assign(newer)] }, View(Live(One)));

        Assert.Equal(new AgentAction.Fence(One), actions[0]);
        Assert.Equal(newer, Assert.IsType<AgentAction.Start>(actions[1]).Assignment.Lease);
    }

    [Fact]
    public void Each_command_is_obeyed_once()
    {
        var answer = Answer with { Commands = [Order(5, One, AttemptCommandKind.Sample), Order(5, One, AttemptCommandKind.Sample), Order(6, Two, AttemptCommandKind.Checkpoint)] };

        var actions = SyncPlan.Decide(answer, View(Live(One), Live(Two) with { Obeyed = new HashSet<long> { 6 } }));

        Assert.Equal(new AgentAction.Tell(One, 5, new TrainerCommand("sample")), Assert.Single(actions));
    }

    [Fact]
    public void A_kill_goes_before_everything_else_and_a_stop_before_the_rest()
    {
        AttemptCommand[] all = [Order(1, One, AttemptCommandKind.Checkpoint), Order(2, One, AttemptCommandKind.Stop), Order(3, One, AttemptCommandKind.Kill)];

        Assert.Equal([new AgentAction.Kill(One, 3)], SyncPlan.Decide(Answer with { Commands = all }, View(Live(One))));
        Assert.Equal([new AgentAction.Stop(One, 2)], SyncPlan.Decide(Answer with { Commands = all[..2] }, View(Live(One))));
    }

    [Fact]
    public void A_stop_is_not_given_twice_and_a_sample_waits_until_training()
    {
        Assert.Empty(SyncPlan.Decide(Answer with { Commands = [Order(2, One, AttemptCommandKind.Stop)] }, View(Live(One) with { State = AttemptState.Stopping })));
        Assert.Empty(SyncPlan.Decide(Answer with { Commands = [Order(2, One, AttemptCommandKind.Sample)] }, View(Live(One) with { State = AttemptState.Starting })));
    }

    [Fact]
    public void An_end_is_forgotten_when_it_is_acknowledged_or_its_epoch_is_over()
    {
        var view = View() with { Ended = [One, Two] };

        Assert.Equal([new AgentAction.Forget(One)], SyncPlan.Decide(Answer with { Acknowledged = [One.AttemptId] }, view));
        Assert.Equal([new AgentAction.Forget(Two)], SyncPlan.Decide(Answer with { Revoked = [Two.AttemptId] }, view));
    }

    private static SyncResponse Answer => new() { Serial = 1, ServerTime = DateTimeOffset.UnixEpoch, LeaseSeconds = 10 };

    private static AgentView View(params AttemptView[] attempts) => new(attempts, [], attempts.Select(a => a.Lease).ToHashSet());

    private static AttemptView Live(Lease lease) => new(lease, AttemptState.Running, new HashSet<long>());

    private static AttemptCommand Order(long id, Lease lease, AttemptCommandKind kind) => new(id, lease.AttemptId, kind);

    private static Assignment Assign(Lease lease) => new() { Lease = lease, RunId = Guid.Empty, RunName = "r", Number = 1, Spec = Pool.Spec(), DeviceIndex = 0 };
}
