using System.Security.Cryptography;
using System.Text;
using Hearth.Api;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;
using Xunit.Abstractions;

namespace Hearth.Tests.History;

/// <summary>
/// Two coordinators and eight workers under a seeded storm: coordinators are killed and frozen, PostgreSQL is cut off and started anew, workers die, freeze past
/// their leases and write before they ask. Then it calms down, every run ends, and the history of all that was acknowledged is checked.
/// </summary>
public sealed class Storms(ITestOutputHelper output)
{
    private const int Workers = 8;
    private static readonly (string, string)[] Settings = [("HEARTH_LEASE_SECONDS", "5")];

    [Theory]
    [InlineData(1, 30)]
    public Task Nothing_that_was_acknowledged_is_lost_and_nothing_stale_is_taken_in(int seed, int blows) => RunAsync(seed, blows);

    [Theory]
    [InlineData(2, 250)]
    [InlineData(3, 250)]
    [Trait("Category", "Slow")]
    public Task Nor_in_a_longer_storm(int seed, int blows) => RunAsync(seed, blows);

    private async Task RunAsync(int seed, int blows)
    {
        var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        try
        {
            string connection = await postgres.CreateDatabaseAsync();
            await using var cluster = await CoordinatorCluster.StartAsync(connection, 2, Settings);
            await cluster.Members[0].AddDatasetAsync();
            var history = new HistoryRecorder();
            var workers = await JoinAsync(cluster, history);
            try
            {
                var runs = await DisturbAsync(new Random(seed), blows, postgres, cluster, workers, history);
                await CalmAsync(cluster, workers, runs);
                var end = await ReadAsync(cluster, runs);
                var entries = history.Entries;
                output.WriteLine(string.Join(", ", entries.GroupBy(e => e.GetType().Name).OrderBy(g => g.Key).Select(g => $"{g.Count()} {g.Key}")));

                // A storm in which nothing moved would prove nothing.
                Assert.True(entries.OfType<Resumed>().Count(r => r.Step > 0) >= 3, "fewer than three attempts began with a checkpoint");
                var broken = HistoryChecker.Check(entries, end);
                Assert.True(broken.Count == 0, string.Join('\n', broken));
            }
            finally
            {
                foreach (var worker in workers)
                {
                    await worker.DisposeAsync();
                }
            }
        }
        finally
        {
            await postgres.DisposeAsync();
        }
    }

    // Joining is limited to one in two seconds from an address, so they are put in.
    private static async Task<StormWorker[]> JoinAsync(CoordinatorCluster cluster, HistoryRecorder history)
    {
        var workers = new List<StormWorker>();
        for (int i = 0; i < Workers; i++)
        {
            var id = Guid.NewGuid();
            string token = $"hth_storm_{id:N}";
            await using var command = cluster.Database.CreateCommand("insert into workers (id, name, token_sha256, agent_version, devices) values ($1, $2, $3, 'storm', '[]')");
            command.Parameters.AddWithValue(id);
            command.Parameters.AddWithValue($"storm-{i}");
            command.Parameters.AddWithValue(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
            await command.ExecuteNonQueryAsync();
            workers.Add(new StormWorker(history, n => cluster.Live[n % cluster.Live.Count].Address, id, token, i));
        }

        return [.. workers];
    }

    private static async Task<IReadOnlyList<RunSummary>> DisturbAsync(Random random, int blows, PostgresServer postgres, CoordinatorCluster cluster, StormWorker[] workers, HistoryRecorder history)
    {
        var runs = new List<RunSummary>();
        for (int i = 0; i < Workers; i++)
        {
            await SubmitAsync(cluster.Live[0], $"storm-{i}", random.Next(300, 700), runs, history);
        }

        for (int blow = 0; blow < blows; blow++)
        {
            var worker = workers[random.Next(Workers)];
            var member = cluster.Live[random.Next(cluster.Live.Count)];
            int pause = random.Next(100, 1000);
            switch (random.Next(13))
            {
                case 0 or 1:
                    worker.Kill();
                    break;
                case 2 or 3:
                    worker.Freeze();
                    break;
                case 4 or 5:
                    worker.Thaw();
                    break;
                case 6:
                    member.Kill();
                    await cluster.AddAsync();
                    break;
                case 7:
                    member.Signal("STOP");
                    await Task.Delay(pause * 5);
                    member.Signal("CONT");
                    break;
                case 8:
                    await postgres.CutOffAsync();
                    break;
                case 9 when runs.Count > 4:
                    await CancelAsync(member, runs[random.Next(runs.Count)], history);
                    break;
                default:
                    await SubmitAsync(member, $"storm-{Workers + blow}", random.Next(300, 700), runs, history);
                    break;
            }

            await cluster.RefillAsync(2);
            await Task.Delay(pause);
        }

        return runs;
    }

    private static async Task SubmitAsync(CoordinatorProcess member, string name, int steps, List<RunSummary> runs, HistoryRecorder history)
    {
        long began = HistoryRecorder.Now;
        try
        {
            var run = await member.SubmitAsync(Pool.Spec(name, steps: steps, maxRestarts: 100));
            runs.Add(run);
            history.Add(new Submitted(began, HistoryRecorder.Now, run.Id, steps));
        }
        catch (Exception e) when (e is HttpRequestException or Xunit.Sdk.XunitException)
        {
            // Not accepted: nothing was promised.
        }
    }

    private static async Task CancelAsync(CoordinatorProcess member, RunSummary run, HistoryRecorder history)
    {
        long began = HistoryRecorder.Now;
        try
        {
            // Also where the answer gets lost, it may have been done.
            history.Add(new Cancelled(began, began, run.Id));
            await member.ActAsync(run, "cancel");
        }
        catch (Exception e) when (e is HttpRequestException or Xunit.Sdk.XunitException)
        {
            // It is over already, or nobody answers.
        }
    }

    private static async Task CalmAsync(CoordinatorCluster cluster, StormWorker[] workers, IReadOnlyList<RunSummary> runs)
    {
        foreach (var worker in workers)
        {
            worker.Thaw();
        }

        await cluster.RefillAsync(2);
        var ids = runs.Select(r => r.Id).ToArray();
        await Eventually.TrueAsync(
            async () =>
            {
                await cluster.RefillAsync(2);
                await using var command = cluster.Database.CreateCommand("select count(*) from runs where id = any($1) and state not in ('succeeded', 'cancelled', 'failed')");
                command.Parameters.AddWithValue(ids);
                try
                {
                    return (long)(await command.ExecuteScalarAsync())! == 0;
                }
                catch (NpgsqlException)
                {
                    // A connection from before PostgreSQL was cut off.
                    return false;
                }
            },
            "every run is over",
            seconds: 240);
    }

    private static async Task<IReadOnlyDictionary<Guid, RunAtTheEnd>> ReadAsync(CoordinatorCluster cluster, IReadOnlyList<RunSummary> runs)
    {
        var end = new Dictionary<Guid, RunAtTheEnd>();
        foreach (var run in runs)
        {
            var member = cluster.Live[0];
            var detail = await member.DetailAsync(run.Id);
            var series = (await System.Net.Http.Json.HttpClientJsonExtensions.GetFromJsonAsync<MetricsResponse>(member.Http, $"/api/v1/runs/{run.Id}/metrics?points=10000", Json.Wire))!.Series;
            end.Add(run.Id, new RunAtTheEnd(
                detail.Summary.State,
                detail.Trace,
                detail.Checkpoints.Select(c => c.Step).ToHashSet(),
                series.Where(s => s.Key == "loss").SelectMany(s => s.Steps).ToHashSet()));
        }

        return end;
    }
}
