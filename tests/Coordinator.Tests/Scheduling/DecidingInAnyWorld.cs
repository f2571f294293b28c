using FsCheck;
using FsCheck.Fluent;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Hardware;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Scheduling;

/// <summary>What holds of every plan, whatever the pool looks like.</summary>
public sealed class DecidingInAnyWorld
{
    [Fact]
    public void No_device_is_given_twice_nobody_equal_is_preempted_and_every_waiting_run_has_a_reason() => Always(snapshot =>
    {
        var plan = Scheduler.Decide(snapshot, World.Now);
        var places = plan.Commands.OfType<Place>().ToList();
        var preempts = plan.Commands.OfType<Preempt>().ToList();
        var live = snapshot.Attempts.Where(a => a.LeaseEndsAt >= World.Now).Select(a => (a.WorkerId, a.DeviceIndex)).ToHashSet();
        var priority = snapshot.Queue.ToDictionary(r => r.Id, r => r.Priority);
        var attempts = snapshot.Attempts.ToDictionary(a => a.Id);
        var placed = places.Select(p => p.RunId).ToHashSet();
        return places.Select(p => (p.WorkerId, p.DeviceIndex)).Distinct().Count() == places.Count
            && places.All(p => !live.Contains((p.WorkerId, p.DeviceIndex)))
            && preempts.All(p => attempts[p.AttemptId].Priority < priority[p.ForRun])
            && preempts.Select(p => p.AttemptId).Distinct().Count() == preempts.Count
            && snapshot.Queue.All(r => placed.Contains(r.Id) != plan.Waiting.Any(w => w.Run.Id == r.Id && w.Reason.Length > 0));
    });

    [Fact]
    public void The_plan_is_what_every_run_asking_every_device_would_give() => Always(snapshot =>
    {
        var (fast, naive) = (Scheduler.Decide(snapshot, World.Now), NaiveScheduler.Decide(snapshot, World.Now));
        Assert.Equal(naive.Commands, fast.Commands);
        Assert.Equal(naive.Waiting, fast.Waiting);
        return true;
    });

    [Fact]
    public void Equal_worlds_get_equal_plans_in_whatever_order_they_are_listed() => Always(snapshot =>
    {
        var turned = snapshot with { Queue = [.. snapshot.Queue.Reverse()], Devices = [.. snapshot.Devices.Reverse()], Attempts = [.. snapshot.Attempts.Reverse()] };
        var (first, second) = (Scheduler.Decide(snapshot, World.Now), Scheduler.Decide(turned, World.Now));
        return first.Commands.SequenceEqual(second.Commands) && first.Waiting.SequenceEqual(second.Waiting);
    });

    [Fact]
    public void What_a_run_takes_is_asked_once_for_each_kind_of_run_and_class_of_devices()
    {
        var counted = Enumerable.Range(1, 5).Select(g => new Counted(4L * g << 30)).ToList();
        var devices = Enumerable.Range(0, 300).Select(i => new PoolDevice(World.Id($"w{i}"), $"w{i}", 0, DeviceKind.Cuda, "", (long)(8 << (i % 3)) << 30, true, false)).ToList();
        var attempts = devices.Take(200).Select((d, i) => new LiveAttempt(World.Id($"a{i}"), World.Id($"r{i}"), $"r{i}", 1, d.WorkerId, 0, RunPriority.Low, false, i, World.Now.AddSeconds(9))).ToList();
        var queue = Enumerable.Range(0, 4_000).Select(i => new QueuedRun(World.Id($"q{i}"), $"q{i}", 1, (RunPriority)(i % 3), World.Now.AddSeconds(-i), null, "any", counted[i % 5])).ToList();

        Scheduler.Decide(new Snapshot(queue, devices, attempts, true), World.Now);

        Assert.All(counted, c => Assert.InRange(c.Asked, 1, 3 + 1));
    }

    private static void Always(Func<Snapshot, bool> holds) =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => holds(Any(new Random(seed)))).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    // Small numbers of sizes and priorities, so that runs and devices are alike and ties are common.
    private static Snapshot Any(Random random)
    {
        var world = new World();
        int workers = random.Next(6);
        for (int w = 0; w < workers; w++)
        {
            bool online = random.Next(5) > 0, draining = random.Next(6) == 0;
            for (int index = random.Next(1, 4) - 1; index >= 0; index--)
            {
                world.Device($"w{w}", 6 * random.Next(1, 5), (DeviceKind)random.Next(4), online, draining, index);
                if (random.Next(2) == 0)
                {
                    world.Running($"live{w}/{index}", $"w{w}", index, (RunPriority)random.Next(3), random.Next(3), random.Next(4) == 0, random.Next(5) == 0 ? -1 : 5);
                }
            }
        }

        string[] devices = ["any", "any", "gpu", "cpu", "w0, w1/0", "w2/1", "nowhere"];
        for (int r = random.Next(20); r > 0; r--)
        {
            world.Queued(
                $"run{r}", 5 * random.Next(1, 6), (RunPriority)random.Next(3), devices[random.Next(devices.Length)], random.Next(4), random.Next(6) == 0 ? World.Now.AddSeconds(random.Next(-2, 4)) : null);
        }

        var snapshot = random.Next(8) == 0 ? world.NewLeader().Snapshot() : world.Snapshot();
        return snapshot with
        {
            StoreOutage = random.Next(12) == 0 ? "The object store is away." : null,
            Queue = [.. snapshot.Queue.Select(r => r with { Hold = random.Next(9) == 0 ? "Its checkpoint is read again." : null })],
        };
    }

    private sealed class Counted(long bytes) : RunNeeds
    {
        internal int Asked { get; private set; }

        public override Need On(DeviceClass device)
        {
            Asked++;
            return new Need(bytes <= device.MemoryBytes, 1, bytes, "");
        }
    }
}
