using System.CommandLine;
using System.Diagnostics;
using Hearth.Cli.Bench.Simulated;
using Hearth.Cli.Client;
using Hearth.Runs;

namespace Hearth.Cli.Bench.Queue;

/// <summary>
/// <c>bench queue</c>: runs a second through the whole coordinator — submitted over HTTP, placed by the scheduler, taken, reported and ended by
/// simulated agents — beside what a queue in the same PostgreSQL does with jobs that are only fetched and completed.
/// </summary>
internal static class QueueBench
{
    private const int Submitters = 16;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);

    public static Command Create()
    {
        var runs = Given.Number("--runs", "Runs, and jobs of the other queue.", 2000, 1, 100_000);
        var workers = Given.Number("--workers", "Simulated workers, and consumers of the other queue.", 200, 1, 10_000);
        var json = new Option<bool>("--json") { Description = "Print the figures as JSON." };
        var command = new Command("queue", "Runs a second from submit to end with simulated agents, beside pg-boss.") { runs, workers, json };
        command.SetAction((parsed, stop) => Guard.RunAsync(() => RunAsync(
            parsed.GetValue(runs), parsed.GetValue(workers), new Output(Console.Out, parsed.GetValue(json)), stop)));
        return command;
    }

    private static async Task<int> RunAsync(int runs, int workers, Output output, CancellationToken stop)
    {
        await using var pool = await ClusterPool.StartAsync(1, Console.Error.WriteLine, stop);
        await BenchCommand.ImportAsync(pool.Clients[0], stop);
        await pool.QueryAsync(SimulatedWorkers.Insert(workers), stop);
        double submitted, ended;
        await using (new SimulatedWorkers([pool.Clients[0].Address], workers, Training.None))
        {
            // Forecasts, connections and compiled code are there before the clock starts.
            await SubmitAsync(pool.Clients[0], "warm-up", workers, stop);
            await EndedAsync(pool, workers, stop);
            long began = Stopwatch.GetTimestamp();
            await SubmitAsync(pool.Clients[0], "queued", runs, stop);
            submitted = Stopwatch.GetElapsedTime(began).TotalSeconds;
            await EndedAsync(pool, workers + runs, stop);
            ended = double.Parse(
                await pool.QueryAsync("select extract(epoch from max(ended_at) - min(created_at)) from runs where name like 'queued-%'", stop),
                System.Globalization.CultureInfo.InvariantCulture);
        }

        long restarted = await pool.CountAsync("select count(*) from attempts where number > 1", stop);
        await pool.QueryAsync("create database rival", stop);
        double rival = await PgBoss.MeasureAsync(pool.SocketFolder, "rival", runs, workers, stop);
        var figures = new { runs, workers, submits_per_second = runs / submitted, runs_per_second = runs / ended, restarted, pg_boss_jobs_per_second = rival };
        return output.Show(figures, f => output.Table(
            ["runs", "workers", "submits/s", "submitted to ended/s", "restarted", "pg-boss fetch and complete/s", "ratio"],
            [[
                Text.Count(f.runs), Text.Count(f.workers), Rate(f.submits_per_second), Rate(f.runs_per_second), Text.Count(f.restarted), Rate(f.pg_boss_jobs_per_second),
                Words.Number(Math.Round(f.runs_per_second / f.pg_boss_jobs_per_second, 2)),
            ]]));
    }

    private static string Rate(double perSecond) => Words.Number(Math.Round(perSecond, 1));

    private static Task SubmitAsync(ApiClient api, string name, int count, CancellationToken stop) => Parallel.ForEachAsync(
        Enumerable.Range(0, count),
        new ParallelOptions { MaxDegreeOfParallelism = Submitters, CancellationToken = stop },
        async (i, token) => await BenchCommand.SubmitAsync(api, BenchCommand.Spec($"{name}-{i}", steps: 1, checkpointEvery: 0), token));

    private static async Task EndedAsync(ClusterPool pool, int count, CancellationToken stop)
    {
        while (await pool.CountAsync("select count(*) from runs where state = 'succeeded'", stop) != count)
        {
            await Task.Delay(Look, stop);
        }
    }
}
