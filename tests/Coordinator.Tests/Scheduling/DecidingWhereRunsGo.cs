using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Hardware;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Scheduling;

public sealed class DecidingWhereRunsGo
{
    [Fact]
    public void A_run_goes_to_a_free_device_that_fits()
    {
        var place = Assert.IsType<Place>(Assert.Single(new World().Device("small", 4).Device("studio", 24).Queued("big", 13.4).Decide().Commands));

        Assert.Equal((World.Id("big"), World.Id("studio"), 1), (place.RunId, place.WorkerId, place.MicroBatch));
    }

    [Fact]
    public void Higher_priority_goes_first_and_age_breaks_ties()
    {
        var plan = new World().Device("studio", 24)
            .Queued("young", minutesAgo: 1).Queued("old", minutesAgo: 9).Queued("urgent", priority: RunPriority.High)
            .Decide();

        Assert.Equal(World.Id("urgent"), Assert.IsType<Place>(Assert.Single(plan.Commands)).RunId);
        Assert.Equal([World.Id("old"), World.Id("young")], plan.Waiting.Select(w => w.Run.Id));
    }

    [Fact]
    public void A_card_is_preferred_to_a_processor_and_a_small_card_to_a_large_one()
    {
        var plan = new World().Device("box", 64, DeviceKind.Cpu).Device("large", 48).Device("small", 24).Queued("run", 1).Decide();

        Assert.Equal(World.Id("small"), Assert.IsType<Place>(Assert.Single(plan.Commands)).WorkerId);
    }

    [Theory]
    [InlineData("gpu", "studio")]
    [InlineData("cpu", "box")]
    [InlineData("box/0", "box")]
    [InlineData("attic, box", "box")]
    public void The_run_says_which_devices_it_may_use(string devices, string worker)
    {
        var plan = new World().Device("box", 64, DeviceKind.Cpu).Device("studio", 24).Queued("run", devices: devices).Decide();

        Assert.Equal(World.Id(worker), Assert.IsType<Place>(Assert.Single(plan.Commands)).WorkerId);
    }

    [Fact]
    public void A_higher_priority_takes_the_device_that_loses_the_fewest_steps()
    {
        var plan = new World().Device("a", 24).Device("b", 24)
            .Running("costly", "a", atRisk: 400, priority: RunPriority.Low).Running("cheap", "b", atRisk: 3, priority: RunPriority.Low)
            .Queued("urgent", priority: RunPriority.High)
            .Decide();

        var preempt = Assert.IsType<Preempt>(Assert.Single(plan.Commands));
        Assert.Equal((World.Id("cheap"), World.Id("urgent")), (preempt.RunId, preempt.ForRun));
        Assert.Equal("cheap gives way on b/0; this run is next there.", Assert.Single(plan.Waiting).Reason);
    }

    [Fact]
    public void An_attempt_that_stops_already_is_not_asked_again_and_nobody_else_is_stopped()
    {
        var plan = new World().Device("a", 24).Device("b", 24)
            .Running("leaving", "a", stopping: true, priority: RunPriority.Low).Running("staying", "b", priority: RunPriority.Low)
            .Queued("urgent", priority: RunPriority.High)
            .Decide();

        Assert.Empty(plan.Commands);
        Assert.Contains("leaving gives way", Assert.Single(plan.Waiting).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_urgent_runs_do_not_claim_the_same_device()
    {
        var plan = new World().Device("a", 24).Running("only", "a", priority: RunPriority.Low)
            .Queued("first", priority: RunPriority.High, minutesAgo: 2).Queued("second", priority: RunPriority.High, minutesAgo: 1)
            .Decide();

        Assert.Equal(World.Id("first"), Assert.IsType<Preempt>(Assert.Single(plan.Commands)).ForRun);
        Assert.Equal("Fits only a/0. first holds a/0.", plan.Waiting[1].Reason);
    }

    [Fact]
    public void A_lease_that_ran_out_is_lost_but_not_to_a_leader_that_is_too_new_to_know()
    {
        var world = new World().Device("a", 24).Running("run", "a", leaseSeconds: -1);

        Assert.Equal(World.Id("run"), Assert.IsType<Expire>(Assert.Single(world.Decide().Commands)).RunId);
        Assert.Empty(world.NewLeader().Decide().Commands);
    }

    [Fact]
    public void A_run_whose_attempt_was_lost_waits_its_back_off()
    {
        var plan = new World().Device("a", 24).Queued("run", notBefore: World.Now.AddSeconds(4)).Decide();

        Assert.Empty(plan.Commands);
        Assert.Equal("Its last attempt failed or was lost; it is tried again at 21:14:04 UTC.", Assert.Single(plan.Waiting).Reason);
    }

    [Fact]
    public void Every_reason_names_what_is_in_the_way()
    {
        Assert.Equal("No worker has joined the pool yet.", Reason(new World().Queued("run")));
        Assert.Equal("Set to run on gpu, and the pool has no such device.", Reason(new World().Device("box", 8, DeviceKind.Cpu).Queued("run", devices: "gpu")));
        Assert.Equal("Needs 13.4 GB, and the largest device it may use, attic/0, has 12.0.", Reason(new World().Device("attic", 12).Queued("run", 13.4)));
        Assert.Equal(
            "Needs 13.4 GB, and the largest device it may use, attic/0, has 12.0. Fits with less.",
            Reason(new World().Device("attic", 12).Queued("run", 13.4, remedy: "Fits with less.")));
        Assert.Equal("Fits attic/0, which is away. Goes on when it comes back.", Reason(new World().Device("attic", 12, online: false).Queued("run")));
        Assert.Equal("attic/0 takes no new runs: it is being drained.", Reason(new World().Device("attic", 12, draining: true).Queued("run")));
        Assert.Equal("Fits only studio/0. moa holds studio/0.", Reason(new World().Device("studio", 24).Device("attic", 12).Running("moa", "studio").Queued("run", 13)));
    }

    [Fact]
    public void Holders_are_named_where_few_devices_fit_and_counted_where_many_do()
    {
        var three = new World().Device("a", 24).Device("b", 24).Device("c", 24).Running("x", "a").Running("y", "b").Running("z", "c");
        Assert.Equal("Every device that fits is taken: x holds a/0 and y holds b/0 and z holds c/0.", Reason(three.Queued("run")));
        Assert.Equal("All 4 devices that fit are taken.", three.Device("d", 24).Running("w", "d").Decide().Waiting[0].Reason);
    }

    [Fact]
    public void A_reason_stays_the_same_while_nothing_changes_however_the_seconds_go()
    {
        var world = new World().Device("a", 24).Running("busy", "a").Queued("next").Queued("lost", notBefore: World.Now.AddSeconds(30)).Snapshot();
        var first = Scheduler.Decide(world, World.Now).Waiting;
        var said = world with { Queue = [.. first.Select(w => w.Run with { Reason = w.Reason })] };

        Assert.All(first, w => Assert.True(w.IsNews));
        Assert.All(Enumerable.Range(1, 9), second => Assert.DoesNotContain(Scheduler.Decide(said, World.Now.AddSeconds(second)).Waiting, w => w.IsNews));
    }

    [Fact]
    public void A_reason_tells_of_the_pool_as_the_plan_leaves_it()
    {
        var plan = new World().Device("a", 24).Queued("first", minutesAgo: 2).Queued("second", minutesAgo: 1).Decide();

        Assert.Equal("Fits only a/0. first holds a/0.", Assert.Single(plan.Waiting).Reason);
    }

    [Fact]
    public void Devices_of_a_worker_are_taken_by_number()
    {
        var world = new World();
        foreach (int index in new[] { 10, 2 })
        {
            world.Device("studio", 24, index: index);
        }

        Assert.Equal(2, Assert.IsType<Place>(Assert.Single(world.Queued("run").Decide().Commands)).DeviceIndex);
    }

    [Fact]
    public void A_device_that_is_listed_twice_or_held_twice_stops_nobody()
    {
        var plan = new World().Device("a", 24, index: 0).Device("a", 12, index: 0).Device("b", 24)
            .Running("one", "a").Running("two", "a").Queued("run").Decide();

        Assert.Equal(World.Id("b"), Assert.IsType<Place>(Assert.Single(plan.Commands)).WorkerId);
    }

    private static string Reason(World world) => Assert.Single(world.Decide().Waiting).Reason;
}
