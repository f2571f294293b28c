using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Hearth.Api;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Sweeps;

/// <summary>Sweeps on a real coordinator, their trials trained by workers that only say so.</summary>
[Collection(SharedPostgres.Name)]
public sealed class SweepsOnAPool(PostgresServer postgres)
{
    [Fact]
    public async Task A_sweep_promotes_the_best_from_their_checkpoints_stops_the_others_and_names_the_best()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await service.AddDatasetAsync();
        await using var trainers = new Trainers(await FakeWorker.JoinAsync(service, "studio", devices: 3));
        var sweep = await SubmitAsync(service, Request());

        var done = await DoneAsync(service, sweep);

        Assert.Equal(9, done.Trials.Count);
        Assert.Equal([10L, 30, 90], done.Rungs);
        Assert.Equal(done.Trials.MinBy(t => Loss(Rate(t), 1))!.Number, done.Summary.BestTrial);
        Assert.Contains(done.Decisions, d => d.Trial is null && d.Sentence.StartsWith($"The sweep is done. Best of 9 of 9 trials is trial {done.Summary.BestTrial} with validation_loss", StringComparison.Ordinal));

        // A promoted trial is one run that goes on from where it waited; one that is stopped is cancelled with its sentence.
        var best = await service.DetailAsync(done.Trials[done.Summary.BestTrial!.Value].RunId!.Value);
        Assert.Equal(RunState.Succeeded, best.Summary.State);
        Assert.Equal([0L, 10, 30], best.Attempts.Select(a => a.FirstStep));
        var stopped = done.Trials.First(t => t.Status == TrialStatus.Stopped);
        var run = await Eventually.GetAsync(() => service.DetailAsync(stopped.RunId!.Value), d => d.Summary.State == RunState.Cancelled, "the stopped trial's run is cancelled");
        Assert.Equal(stopped.Decision, run.Summary.Reason);

        // Its name stands for its trials' runs; nine results are too few to tell what matters.
        var compared = (await service.Http.GetFromJsonAsync<Api.Comparison>($"/api/v1/compare?runs=s-{done.Summary.Number}", Json.Wire))!;
        Assert.Equal(done.Trials.Select(t => t.RunId), compared.Runs.Select(r => (Guid?)r.Id));
        Assert.Equal(["optimizer.lr"], compared.Differences.Select(d => d.Field));
        using var refused = await service.Http.GetAsync(new Uri($"/api/v1/sweeps/s-{done.Summary.Number}/importance", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.EndsWith("trials with a result at the same step; what matters can be told from 10 on.", await refused.DetailAsync(), StringComparison.Ordinal);
        Assert.StartsWith($"Trial {stopped.Number} stops after step", stopped.Decision, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Killed_coordinators_and_lost_workers_change_no_decision()
    {
        string database = await postgres.CreateDatabaseAsync();
        SweepDetail plain, hard;
        string token;
        await using (var service = await CoordinatorProcess.StartAsync(database))
        {
            token = service.AdminToken;
            await service.AddDatasetAsync();
            await using var trainers = new Trainers(await FakeWorker.JoinAsync(service, "calm", devices: 3));
            plain = await DoneAsync(service, await SubmitAsync(service, Request()));
        }

        await using var cluster = await CoordinatorCluster.StartAsync(await postgres.CreateDatabaseAsync(), 2, ("HEARTH_LEASE_SECONDS", "2"));
        var (first, second) = (cluster.Members[0], cluster.Members[1]);
        await second.AddDatasetAsync();
        var lost = await FakeWorker.JoinAsync(second, "lost", devices: 3);
        var sweep = await SubmitAsync(first, Request());

        // The worker dies with three trials under way, then the coordinator that took the sweep.
        await Eventually.TrueAsync(() => Task.FromResult(lost.Attempts.Values.Count(a => a.State == AttemptState.Running) == 3), "three trials train");
        await lost.DisposeAsync();
        await using (var trainers = new Trainers(await FakeWorker.JoinAsync(second, "found", devices: 3)))
        {
            await Eventually.TrueAsync(async () => (await DetailAsync(second, sweep)).Trials.Any(t => t.Results.Count > 0), "a trial is at its first rung", seconds: 60);
            first.Kill();
            hard = await DoneAsync(second, sweep, seconds: 120);
        }

        Assert.Equal(Decided(plain), Decided(hard));
        Assert.Equal(plain.Summary.BestTrial, hard.Summary.BestTrial);
        Assert.Equal(9, hard.Trials.Select(t => t.RunId).Distinct().Count());
    }

    [Fact]
    public async Task A_cancelled_sweep_cancels_the_runs_of_its_trials()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await service.AddDatasetAsync();
        var sweep = await SubmitAsync(service, Request());
        var under = await Eventually.GetAsync(() => DetailAsync(service, sweep), d => d.Trials.Count == 3 && d.Trials.All(t => t.RunId is not null), "three trials have their runs");

        using var cancelled = await service.PostAsync($"/api/v1/sweeps/s-{under.Summary.Number}/cancel");
        Assert.Equal(HttpStatusCode.OK, cancelled.StatusCode);

        foreach (var trial in under.Trials)
        {
            var run = await Eventually.GetAsync(() => service.DetailAsync(trial.RunId!.Value), d => d.Summary.State == RunState.Cancelled, "the trial's run is cancelled");
            Assert.EndsWith("cancelled the sweep.", run.Summary.Reason, StringComparison.Ordinal);
        }

        Assert.Equal(SweepStateName.Cancelled, (await DetailAsync(service, sweep)).Summary.State);
    }

    [Fact]
    public async Task A_trial_whose_run_somebody_cancels_is_out_and_the_sweep_goes_on()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await service.AddDatasetAsync();
        var sweep = await SubmitAsync(service, Request());
        var under = await Eventually.GetAsync(() => DetailAsync(service, sweep), d => d.Trials.Count == 3 && d.Trials.All(t => t.RunId is not null), "three trials have their runs");
        using var cancel = await service.PostAsync($"/api/v1/runs/{under.Trials[0].RunId}/cancel");
        await using var trainers = new Trainers(await FakeWorker.JoinAsync(service, "studio", devices: 3));

        var done = await DoneAsync(service, sweep);

        Assert.Equal(TrialStatus.Failed, done.Trials[0].Status);
        Assert.Equal($"Trial 0 is out: r-{under.Trials[0].RunNumber} was cancelled.", done.Trials[0].Decision);
        Assert.NotNull(done.Summary.BestTrial);
    }

    [Fact]
    public async Task The_same_key_gives_the_same_sweep_and_another_body_under_it_is_refused()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await service.AddDatasetAsync();
        var sweep = await SubmitAsync(service, Request(), "monday");

        Assert.Equal(sweep, await SubmitAsync(service, Request(), "monday"));
        using var other = await PostAsync(service, Request(r => r["name"] = "other"), "monday");
        Assert.Equal("The Idempotency-Key monday was used for another sweep. Send a new key with a new sweep.", await other.DetailAsync());
        Assert.Single((await service.Http.GetFromJsonAsync<SweepSummary[]>("/api/v1/sweeps", Json.Wire))!);
    }

    [Fact]
    public async Task What_a_sweep_would_cost_is_said_before_it_begins()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await service.AddDatasetAsync();
        using var response = await service.PostAsync("/api/v1/sweeps/validate", Request());

        var validation = (await response.Content.ReadFromJsonAsync<SweepValidation>(Json.Wire))!;

        // 9 to step 10, 3 on to 30, 1 on to 90.
        Assert.Equal((9, 2048L * (90 + 60 + 60), 2048L * 9 * 90), (validation.Trials, validation.Tokens, validation.TokensOfAll));
    }

    [Fact]
    public async Task What_is_wrong_is_said_before_anything_is_spent()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await service.AddDatasetAsync();
        (Action<JsonObject> Change, string Sentence)[] wrong =
        [
            (r => r["space"]![0]!["max"] = 20, "space[0]: optimizer.lr is 20. Allowed: 1E-09 to 10."),
            (r => r["space"]!.AsArray().Add(JsonNode.Parse("""{"field": "optimizer.name", "values": ["adamw", "sgd"]}""")), "space[1]: optimizer.name is sgd."),
            (r => r["space"]!.AsArray().Add(JsonNode.Parse("""{"field": "model.wdith", "min": 1, "max": 2}""")), "space[1]: "),
            (r => r["spec"]!["data"]!["dataset"] = "gone", "spec.data.dataset: No dataset is called gone. Allowed: docs."),
            (r => r["objective"] = JsonNode.Parse("""{"metric": "accuracy"}"""), "objective.metric: No run reports accuracy."),
            (r => r["spec"]!["eval"] = JsonNode.Parse("""{"every_steps": 0}"""), "spec.eval.every_steps: spec.eval.every_steps is 0, so no run reports validation_loss."),
            (r => r["limits"] = JsonNode.Parse("""{"trials": 0}"""), "limits.trials: limits.trials is 0. Allowed: 1 to 1,000."),
            (r => r["limits"] = JsonNode.Parse("""{"kwh": 0}"""), "limits.kwh: limits.kwh is 0. Allowed: more than 0, or nothing for no limit."),
            (r => r["search"]!["first_rung"] = 90, "search.first_rung: search.first_rung is 90. Allowed: at least 1 and below train.steps, 90."),
            (r => r["parallel"] = 0, "parallel: parallel is 0. Allowed: 1 to 256."),
            (r => r["name"] = "a b", "name: "),
        ];
        foreach (var (change, sentence) in wrong)
        {
            using var response = await PostAsync(service, Request(change), null);
            Assert.True(response.StatusCode == HttpStatusCode.UnprocessableEntity, await response.Content.ReadAsStringAsync());
            var errors = (await response.ErrorsAsync()).Select(e => $"{e.Field}: {e.Message}").ToList();
            Assert.True(errors.Any(e => e.StartsWith(sentence, StringComparison.Ordinal)), $"{sentence} is not in {string.Join(" | ", errors)}");
        }

        Assert.Empty((await service.Http.GetFromJsonAsync<SweepSummary[]>("/api/v1/sweeps", Json.Wire))!);
    }

    private static JsonObject Request(Action<JsonObject>? change = null)
    {
        var request = new JsonObject
        {
            ["name"] = "rates",
            ["spec"] = Pool.Spec(steps: 90),
            ["space"] = JsonNode.Parse("""[{"field": "optimizer.lr", "kind": "log", "min": 0.0001, "max": 0.1}]"""),
            ["search"] = JsonNode.Parse("""{"method": "random", "halving": "asha", "seed": 31}"""),
            ["limits"] = JsonNode.Parse("""{"trials": 9}"""),
            ["parallel"] = 3,
        };
        change?.Invoke(request);
        return request;
    }

    private static async Task<HttpResponseMessage> PostAsync(CoordinatorProcess service, JsonObject request, string? key)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, "/api/v1/sweeps") { Content = JsonContent.Create(request, options: Json.Wire) };
        if (key is not null)
        {
            message.Headers.Add("Idempotency-Key", key);
        }

        return await service.Http.SendAsync(message);
    }

    private static async Task<Guid> SubmitAsync(CoordinatorProcess service, JsonObject request, string? key = null)
    {
        using var response = await PostAsync(service, request, key);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<SweepSummary>(Json.Wire))!.Id;
    }

    private static async Task<SweepDetail> DetailAsync(CoordinatorProcess service, Guid sweep) => (await service.Http.GetFromJsonAsync<SweepDetail>($"/api/v1/sweeps/{sweep}", Json.Wire))!;

    private static Task<SweepDetail> DoneAsync(CoordinatorProcess service, Guid sweep, double seconds = 60) =>
        Eventually.GetAsync(() => DetailAsync(service, sweep), d => d.Summary.State == SweepStateName.Done, "the sweep is done", seconds);

    // Decisions but not their times, nor the order in which results came.
    private static IEnumerable<string> Decided(SweepDetail sweep) => sweep.Decisions.Select(d => d.Sentence).Order(StringComparer.Ordinal);

    private static double Rate(TrialView trial) => trial.Setting.GetProperty("optimizer.lr").GetDouble();

    // The best rate is 3e-3.
    private static double Loss(double rate, long step) => Math.Pow(Math.Log10(rate / 3e-3), 2) + (10.0 / step);

    /// <summary>Trains what a worker is given at once: to where it is to wait, or to its end.</summary>
    private sealed class Trainers : IAsyncDisposable
    {
        private readonly FakeWorker _worker;
        private readonly CancellationTokenSource _stop = new();
        private readonly ConcurrentDictionary<Guid, bool> _trained = new();
        private readonly Task _loop;

        internal Trainers(FakeWorker worker)
        {
            _worker = worker;
            _loop = Task.Run(LoopAsync);
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _loop;
            await _worker.DisposeAsync();
            _stop.Dispose();
        }

        private async Task LoopAsync()
        {
            while (!_stop.IsCancellationRequested)
            {
                foreach (var attempt in _worker.Attempts.Values.Where(a => a.State == AttemptState.Running && _trained.TryAdd(a.Assignment.Lease.AttemptId, true)))
                {
                    await TrainAsync(attempt);
                }

                await Task.Delay(20, CancellationToken.None);
            }
        }

        private async Task TrainAsync(FakeAttempt attempt)
        {
            var given = attempt.Assignment;
            long end = given.PauseAtStep ?? given.Spec.Train.Steps;
            long[] steps = [end];
            using var metrics = await _worker.PostAsync("/api/worker/metrics", new MetricsRequest(
                given.Lease, 1, [new MetricChunk("validation_loss", steps, [(float)Loss(given.Spec.Optimizer.Lr, end)], [DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()])], []));
            metrics.EnsureSuccessStatusCode();
            await _worker.CheckpointAsync(given.Lease, end, $"{given.RunId} at {end}");
            _worker.End(attempt, given.PauseAtStep is null ? AttemptState.Succeeded : AttemptState.Stopped, end, trace: $"{end:x16}");
        }
    }
}
