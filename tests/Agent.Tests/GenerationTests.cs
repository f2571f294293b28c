using Hearth.Agent.Tests.Support;
using Hearth.Protocol;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>The real agent answering requests with a trainer that has no model.</summary>
public sealed class GenerationTests
{
    private static readonly Guid Checkpoint = Guid.NewGuid();

    [Fact]
    public async Task A_request_is_answered_in_order_and_the_next_one_by_the_same_process()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var first = await DoneAsync(pool, pool.Coordinator.Ask(Checkpoint));
        using var trainer = await pool.TrainerAsync();

        var second = await DoneAsync(pool, pool.Coordinator.Ask(Checkpoint));

        Assert.All(new[] { first, second }, g => Assert.Equal(Enumerable.Range(0, 40), g.Tokens.Select(t => t.Index)));
        Assert.Equal(["fetching the checkpoint", "loading the model"], first.Events.OfType<GenerationLoading>().Select(e => e.What).Distinct());
        Assert.Empty(second.Events.OfType<GenerationLoading>());
        Assert.Equal((false, true), (Statistics(first).Warm, Statistics(second).Warm));
        Assert.True(Statistics(first).FirstTokenSeconds > Statistics(second).FirstTokenSeconds);
        Assert.False(trainer.HasExited);
        Assert.Contains(pool.Coordinator.Syncs, s => s.Generations.Contains(second.Assignment.Id) && s.HostFreeBytes > 0);
        await pool.UntilAsync(() => pool.Coordinator.Syncs.Last().Generations.Count == 0, "it reports no request");
        Assert.Equal(0, first.WritesAfterEnd + second.WritesAfterEnd);
    }

    [Fact]
    public async Task A_stopped_request_is_cancelled_in_the_trainer_and_the_next_one_is_answered()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var endless = pool.Coordinator.Ask(Checkpoint, tokens: 10_000_000);
        await pool.UntilAsync(() => endless.Tokens.Count > 3, "tokens come");

        pool.Coordinator.Stop(endless);
        var next = await DoneAsync(pool, pool.Coordinator.Ask(Checkpoint, tokens: 3));

        Assert.Equal(3, next.Tokens.Count);
        Assert.True(Statistics(next).Warm);
        Assert.InRange(endless.WritesAfterEnd, 0, 1);
    }

    [Fact]
    public async Task A_trainer_that_crashes_fails_its_request_with_its_last_words_and_the_next_one_gets_another()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();

        var crashed = await EndAsync(pool, pool.Coordinator.Ask(Checkpoint, "crash"));
        var next = await DoneAsync(pool, pool.Coordinator.Ask(Checkpoint));

        var failed = Assert.IsType<GenerationFailed>(crashed.Last);
        Assert.Equal(FailureCodes.Crashed, failed.Code);
        Assert.Contains("something is badly wrong", failed.Message, StringComparison.Ordinal);
        Assert.False(Statistics(next).Warm);
    }

    [Fact]
    public async Task A_checkpoint_that_the_store_no_longer_has_fails_the_request_by_its_file()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var gone = new BlobRef("model.safetensors", new string('a', 64), 10, $"/blobs/{new string('a', 64)}?sig=abc");

        var asked = await EndAsync(pool, pool.Coordinator.Ask(Checkpoint, change: a => a with { Files = [gone] }));

        Assert.Equal("The model cannot be loaded here: model.safetensors: the store no longer has it", Assert.IsType<GenerationFailed>(asked.Last).Message);
    }

    [Fact]
    public async Task Tokens_outlive_an_outage_of_the_coordinator_without_a_gap()
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var asked = pool.Coordinator.Ask(Checkpoint, tokens: 300);
        await pool.UntilAsync(() => asked.Tokens.Count > 3, "tokens come");

        pool.Coordinator.Away = true;
        await pool.UntilAsync(() => agent.Output.Contains("trying again until it answers", StringComparison.Ordinal), "the agent has noticed");
        pool.Coordinator.Away = false;

        await DoneAsync(pool, asked);
        Assert.Equal(Enumerable.Range(0, 300), asked.Tokens.Select(t => t.Index));
    }

    [Fact]
    public async Task A_run_that_takes_the_device_ends_the_model_on_it_before_it_trains()
    {
        await using var pool = await Pool.StartAsync();
        using var folder = new TempFolder();
        string card = folder.At("card.json");
        await File.WriteAllTextAsync(card, """[{"index": 0, "kind": "simulated", "model": "A card", "uuid": "card-0", "memory_bytes": 8589934592}]""");
        pool.Agent(null, "--probe", $"simulated:{card}");
        var endless = pool.Coordinator.Ask(Checkpoint, tokens: 10_000_000);
        await pool.UntilAsync(() => endless.Tokens.Count > 3, "tokens come");
        using var serving = await pool.TrainerAsync();

        var run = pool.Coordinator.Place(Pool.Spec());
        await EndAsync(pool, endless);
        await pool.UntilAsync(() => run.LastStep > 0, "the run trains");

        Assert.True(serving.HasExited);
        Assert.Equal("Its device was given to a run. Send it again.", Assert.IsType<GenerationFailed>(endless.Last).Message);
    }

    [Fact]
    public async Task Beside_a_run_on_the_processor_requests_are_answered()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var run = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => run.LastStep > 3, "the run trains");

        var asked = await DoneAsync(pool, pool.Coordinator.Ask(Checkpoint, device: null));

        Assert.Equal(40, asked.Tokens.Count);
        Assert.Null(run.End);
    }

    [Fact]
    public async Task An_agent_that_leaves_fails_its_requests_and_leaves_no_process_behind()
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var endless = pool.Coordinator.Ask(Checkpoint, tokens: 10_000_000);
        await pool.UntilAsync(() => endless.Tokens.Count > 3, "tokens come");
        using var serving = await pool.TrainerAsync();

        agent.Terminate();

        Assert.Equal(0, await agent.ExitCodeAsync());
        Assert.True(serving.HasExited);
        Assert.Equal("Its worker is leaving the pool.", Assert.IsType<GenerationFailed>(endless.Last).Message);
        Assert.Empty(Directory.GetDirectories(Path.Combine(pool.Home, "serving")));
    }

    [Fact]
    public async Task A_model_that_a_killed_agent_left_is_gone_when_the_next_one_starts()
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        await DoneAsync(pool, pool.Coordinator.Ask(Checkpoint));
        using var serving = await pool.TrainerAsync();

        agent.Kill();
        pool.Agent();
        var next = await DoneAsync(pool, pool.Coordinator.Ask(Checkpoint));

        await pool.UntilAsync(() => serving.HasExited, "the old process has ended");
        Assert.False(Statistics(next).Warm);
    }

    [Fact]
    public async Task A_drained_worker_lets_a_model_go_that_nobody_asks()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        await DoneAsync(pool, pool.Coordinator.Ask(Checkpoint));
        using var serving = await pool.TrainerAsync();

        pool.Coordinator.Drain();

        await pool.UntilAsync(() => serving.HasExited, "the model is let go");
    }

    [Fact]
    public async Task Two_models_stay_loaded_side_by_side_and_a_third_takes_the_place_of_the_one_asked_longest_ago()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        Guid a = Guid.NewGuid(), b = Guid.NewGuid(), c = Guid.NewGuid();
        foreach (var checkpoint in new[] { a, b, a, c })
        {
            await DoneAsync(pool, pool.Coordinator.Ask(checkpoint, tokens: 2));
        }

        var again = await DoneAsync(pool, pool.Coordinator.Ask(a, tokens: 2));
        var other = await DoneAsync(pool, pool.Coordinator.Ask(b, tokens: 2));

        Assert.Equal((true, false), (Statistics(again).Warm, Statistics(other).Warm));
    }

    [Fact]
    public async Task A_model_that_nobody_asks_makes_room_for_one_that_does_not_fit_beside_it()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        Guid a = Guid.NewGuid(), b = Guid.NewGuid();
        static GenerationAssignment Large(GenerationAssignment assignment) => assignment with { Bytes = 1L << 50 };
        await DoneAsync(pool, pool.Coordinator.Ask(a, tokens: 2, change: Large));
        using var serving = await pool.TrainerAsync();

        await DoneAsync(pool, pool.Coordinator.Ask(b, tokens: 2, change: Large));

        Assert.True(serving.HasExited);
    }

    [Fact]
    public async Task A_model_that_nobody_asks_is_let_go_after_its_time()
    {
        await using var coordinator = await FakeCoordinator.StartAsync();
        using var folder = new TempFolder();
        string home = folder.At("home");
        var options = AgentOptions.Parse(["--home", home, "--probe", "cpu", "--trainer", AgentProcess.FakeTrainer], _ => null);
        var timings = new AgentTimings { ModelIdle = TimeSpan.FromMilliseconds(50) };
        using var held = new AgentHome(home);
        using var devices = new DeviceSet(options);
        using var client = new CoordinatorClient(new Uri(coordinator.Address), "worker-token");
        using var blobs = new BlobStore(held.CachePath, new Uri(coordinator.Address), timings);
        var desk = new GenerationDesk(new AttemptServices(client, blobs, held, options, timings, new AgentLog(TextWriter.Null), new DeadLetters(held.RefusedPath, new AgentLog(TextWriter.Null))), devices, TrainerCommandLine.Find(options.TrainerPath));
        var asked = coordinator.Ask(Checkpoint, tokens: 2);

        desk.Obey(new SyncResponse { Serial = 1, ServerTime = DateTimeOffset.UtcNow, LeaseSeconds = 10, Generations = [asked.Assignment] });
        await Eventually.TrueAsync(() => asked.Last is GenerationDone, "it is answered", () => asked.Describe());

        await Eventually.TrueAsync(() => Directory.GetDirectories(held.ServingPath).Length == 0, "the model is let go", () => asked.Describe());
        await desk.LeaveAsync();
    }

    private static GenerationStatistics Statistics(FakeGeneration asked) => Assert.IsType<GenerationDone>(asked.Last).Statistics;

    private static async Task<FakeGeneration> EndAsync(Pool pool, FakeGeneration asked)
    {
        await pool.UntilAsync(() => asked.Last is not null, "the request ends");
        return asked;
    }

    private static async Task<FakeGeneration> DoneAsync(Pool pool, FakeGeneration asked)
    {
        await EndAsync(pool, asked);
        Assert.True(asked.Last is GenerationDone, asked.Describe());
        return asked;
    }
}
