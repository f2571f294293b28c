using System.Net;
using System.Net.Http.Json;
using Hearth.Api;
using Hearth.Coordinator.Jobs;
using Hearth.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Jobs;

[Collection(SharedPostgres.Name)]
public sealed class DoingJobs(PostgresServer postgres, DataService data) : IClassFixture<DataService>
{
    [Fact]
    public async Task Every_job_says_what_it_does_and_when_and_what_came_of_it_once_it_was_run()
    {
        var before = await ListAsync(data.Service);
        Assert.Equal(["blob-sweep", "dataset-imports", "event-trim", "metric-compaction", "request-trim"], before.Select(j => j.Name).Except(["schedules"]));
        Assert.All(before, j => Assert.True(j.Does.EndsWith('.') && j.NextAt > DateTimeOffset.UtcNow.AddSeconds(-30), j.Name));

        foreach (var job in before)
        {
            var done = await RunAsync(data.Service, job.Name);
            Assert.False(done.LastFailed, done.LastResult);
            Assert.EndsWith(".", done.LastResult, StringComparison.Ordinal);
            Assert.True(done.LastSeconds >= 0);
        }
    }

    [Fact]
    public async Task Old_events_and_old_requests_are_forgotten_and_new_ones_stay()
    {
        await data.ExecuteAsync("insert into events (kind, data) select 'ping', '{}' from generate_series(1, 10050)");
        using var attempt = await data.PlaceAsync();
        (string Name, string Content) weights = ("weights", $"w {Guid.NewGuid()}");
        await attempt.UploadAsync(weights);
        (await attempt.PostAsync("checkpoints", attempt.Commit(10, weights))).EnsureSuccessStatusCode();
        await data.ExecuteAsync(
            """
            insert into generations (id, checkpoint_id, request, worker_id, device_index, device, bytes, created_by, lease_ends_at, state, ended_at)
            select gen_random_uuid(), c.id, '{}', a.worker_id, 0, 'd', 1, 'somebody', now(), 'done', now() - age
            from checkpoints c join attempts a on a.run_id = c.run_id, unnest(array['2 hours', '5 minutes']::interval[]) age where c.step = 10
            """);

        await RunAsync(data.Service, "event-trim");
        await RunAsync(data.Service, "request-trim");

        Assert.InRange(await data.ScalarAsync<long>("select max(id) - min(id) from events"), 1, 9_999);
        Assert.True(await data.ScalarAsync<bool>("select bool_and(ended_at > now() - interval '1 hour') and count(*) > 0 from generations where created_by = 'somebody'"));
    }

    [Fact]
    public async Task A_job_that_cannot_do_its_work_says_why_and_its_next_turn_tries_again()
    {
        string store = Path.Combine(data.DataPath, "store"), away = store + "-away";
        await RunAsync(data.Service, "blob-sweep");
        Directory.Move(store, away);
        var failed = await RunAsync(data.Service, "blob-sweep");
        Directory.Move(away, store);
        var mended = await RunAsync(data.Service, "blob-sweep");

        Assert.True(failed.LastFailed);
        Assert.Contains("hearth-store.json", failed.LastResult, StringComparison.Ordinal);
        Assert.False(mended.LastFailed, mended.LastResult);
    }

    [Fact]
    public async Task A_job_is_at_work_on_one_coordinator_at_a_time_and_its_turn_is_free_when_it_ends()
    {
        var job = new HeldJob();
        await using var one = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
        await Hearth.Coordinator.Database.Migrator.RunAsync(one);
        await using var two = NpgsqlDataSource.Create(one.ConnectionString);
        var (first, second) = (new JobTable([job], one), new JobTable([job], two));
        var running = Runner(first).RunAsync(job.Name, CancellationToken.None);
        await job.Begun.Task;

        Assert.NotNull((await second.ListAsync(CancellationToken.None)).Single().RunningSince);
        Assert.Equal("It is at work already.", await Runner(second).RunAsync(job.Name, CancellationToken.None));
        job.Go.SetResult("Did it.");
        Assert.Equal("Did it.", await running);

        var seen = (await second.ListAsync(CancellationToken.None)).Single();
        Assert.Equal((null, "Did it.", 1), (seen.RunningSince, seen.LastResult, job.Turns));
        Assert.Equal("Did it.", await Runner(second).RunAsync(job.Name, CancellationToken.None));
    }

    [Fact]
    public async Task Two_coordinators_share_the_jobs_and_one_that_is_killed_leaves_them_to_the_other()
    {
        await using var cluster = await CoordinatorCluster.StartAsync(await postgres.CreateDatabaseAsync(), 2);
        Assert.Equal(await cluster.ScalarAsync<long>("select count(*) from hangfire.set where key = 'recurring-jobs'"), (await ListAsync(cluster.Members[0])).Count);

        cluster.Members[0].Kill();
        var done = await RunAsync(cluster.Members[1], "event-trim");

        Assert.False(done.LastFailed, done.LastResult);
    }

    [Fact]
    public async Task Only_admins_see_and_run_jobs_and_one_that_is_not_there_is_named()
    {
        using var made = await data.Service.PostAsync("/api/v1/tokens", new CreateToken("runner", "submit", null));
        using var submitter = data.Service.Client((await made.Content.ReadFromJsonAsync<TokenView>(Json.Wire))!.Secret);

        using var seen = await submitter.GetAsync(new Uri("/api/v1/jobs", UriKind.Relative));
        using var run = await submitter.PostAsync(new Uri("/api/v1/jobs/blob-sweep/run", UriKind.Relative), null);
        using var unknown = await data.Service.PostAsync("/api/v1/jobs/tidy/run");

        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.NotFound), (seen.StatusCode, run.StatusCode, unknown.StatusCode));
        Assert.StartsWith("No job is called tidy. Allowed: blob-sweep, ", await unknown.DetailAsync(), StringComparison.Ordinal);
    }

    internal static async Task<IReadOnlyList<JobView>> ListAsync(CoordinatorProcess service) => (await service.Http.GetFromJsonAsync<JobView[]>("/api/v1/jobs", Json.Wire))!;

    /// <summary>Has the job done and waits for the end of that turn.</summary>
    internal static async Task<JobView> RunAsync(CoordinatorProcess service, string name)
    {
        async Task<JobView> ReadAsync() => (await ListAsync(service)).Single(j => j.Name == name);

        using var response = await service.PostAsync($"/api/v1/jobs/{name}/run");
        Assert.True(response.StatusCode == HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync());
        var before = (await response.Content.ReadFromJsonAsync<JobView>(Json.Wire))!;
        return await Eventually.GetAsync(ReadAsync, j => j.LastStartedAt > (before.LastStartedAt ?? DateTimeOffset.MinValue) && j.RunningSince is null, $"{name} is done", seconds: 90);
    }

    private static JobRunner Runner(JobTable table) => new(table, NullLogger<JobRunner>.Instance);

    private sealed class HeldJob : IRecurringJob
    {
        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<string> Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Turns { get; private set; }

        public string Name => "held";

        public string Does => "Waits until it is told to go.";

        public string Cron => "0 0 1 1 *";

        public Task<string> RunAsync(CancellationToken stop)
        {
            Turns++;
            Begun.TrySetResult();
            return Go.Task.WaitAsync(stop);
        }
    }
}
