using System.CommandLine;
using System.Globalization;
using System.Net;
using Hearth.Api;
using Hearth.Cli.Bench.Simulated;
using Hearth.Cli.Client;
using Hearth.Cli.Pool;

namespace Hearth.Cli.Bench.Takeover;

/// <summary>What it took to go on after the scheduler's coordinator was gone.</summary>
/// <param name="Coordinators">How many there were.</param>
/// <param name="End">How it ended: <c>kill</c>, <c>freeze</c> or <c>stop</c>.</param>
/// <param name="SecondsP50">From the signal to the next placement.</param>
/// <param name="SecondsMax">The longest.</param>
/// <param name="RunsRestarted">Of all live runs.</param>
/// <param name="AppliedTwice">Placements in a term that was over, or of a run that had one.</param>
internal sealed record Takeover(int Coordinators, string End, int Rounds, double SecondsP50, double SecondsMax, long RunsRestarted, long AppliedTwice);

/// <summary>
/// <c>bench takeover</c>: the coordinator that the scheduler runs on is killed, frozen and stopped in turn, of two and of three, while
/// simulated workers train; then a run is submitted to another one.
/// </summary>
internal static class TakeoverBench
{
    private static readonly (string Name, int Signal)[] Ends = [("kill", Signals.Kill), ("freeze", Signals.Freeze), ("stop", Signals.Terminate)];

    // Each placement's term must be no earlier than that of every placement before it.
    private const string LatePlacements =
        """
        select count(*) from (
            select term, max(term) over (order by assigned_at rows between unbounded preceding and 1 preceding) as reached from attempts) a
        where term < reached
        """;

    public static Command Create()
    {
        var rounds = Given.Number("--rounds", "Rounds of each.", 3, 1, 100);
        var workers = Given.Number("--workers", "Simulated workers.", 200, 1, 10_000);
        var json = new Option<bool>("--json") { Description = "Print the figures as JSON." };
        var command = new Command("takeover", "Seconds until the next placement when the scheduler's coordinator is killed, frozen or stopped.") { rounds, workers, json };
        command.SetAction((parsed, stop) => Guard.RunAsync(async () =>
        {
            var all = new List<Takeover>();
            foreach (int coordinators in new[] { 2, 3 })
            {
                Console.Error.WriteLine($"Starting {coordinators} coordinators and {parsed.GetValue(workers)} simulated workers ...");
                all.AddRange(await MeasureAsync(coordinators, parsed.GetValue(workers), parsed.GetValue(rounds), stop));
            }

            var output = new Output(Console.Out, parsed.GetValue(json));
            return output.Show(all, a => output.Table(
                ["coordinators", "end", "rounds", "next placement p50", "max", "runs restarted", "applied twice"],
                a.Select(t => new[]
                {
                    Text.Count(t.Coordinators), t.End, Text.Count(t.Rounds), Text.Seconds(t.SecondsP50), Text.Seconds(t.SecondsMax), Text.Count(t.RunsRestarted), Text.Count(t.AppliedTwice),
                })));
        }));
        return command;
    }

    private static async Task<IReadOnlyList<Takeover>> MeasureAsync(int coordinators, int count, int rounds, CancellationToken stop)
    {
        await using var pool = await ClusterPool.StartAsync(coordinators, Console.Error.WriteLine, stop);
        await BenchCommand.ImportAsync(pool.Clients[0], stop);
        await pool.QueryAsync(SimulatedWorkers.Insert(count), stop);
        await using var workers = new SimulatedWorkers([.. pool.Clients.Select(c => c.Address)], count, Training.Endless);
        for (int i = 0; i < count / 2; i++)
        {
            await SubmitAsync(pool.Clients[0], $"trains-{i}", stop);
        }

        var measured = new List<Takeover>();
        foreach (var (name, signal) in Ends)
        {
            var seconds = new List<double>();
            for (int round = 1; round <= rounds; round++)
            {
                await SettledAsync(pool, count, stop);
                seconds.Add(await RoundAsync(pool, signal, $"{name}-{round}", stop));
            }

            await SettledAsync(pool, count, stop);
            var sample = new Sample(seconds);
            measured.Add(new Takeover(
                coordinators,
                name,
                rounds,
                sample.Median,
                sample.Max,
                await pool.CountAsync("select count(*) from (select from attempts group by run_id having count(*) > 1) a", stop),
                workers.AssignedTwice + await pool.CountAsync(LatePlacements, stop)));
            Console.Error.WriteLine($"{coordinators} coordinators, {name}: the next placement after {Text.Seconds(sample.Median)}, at most {Text.Seconds(sample.Max)}.");
        }

        return measured;
    }

    /// <summary>Until every coordinator is back, every worker is seen and nothing is left to place.</summary>
    private static async Task SettledAsync(ClusterPool pool, int count, CancellationToken stop)
    {
        await pool.WholeAsync(stop);
        await ClusterPool.UntilAsync("every worker is there", async token => await pool.CountAsync("select count(*) from workers where seen_at > now() - interval '3 s'", token) == count, stop);
        await ClusterPool.UntilAsync("every run trains", async token => await pool.CountAsync("select count(*) from runs where state <> 'running'", token) == 0, stop);
    }

    private static async Task<double> RoundAsync(ClusterPool pool, int signal, string name, CancellationToken stop)
    {
        int scheduler = await pool.SchedulerAsync(stop);
        var victim = pool.Coordinators[scheduler].Mark;
        var gone = DateTimeOffset.UtcNow;
        Signals.Send(victim, signal);
        var run = await SubmitAsync(pool.Clients[(scheduler + 1) % pool.Clients.Count], name, stop);
        string placed = "";
        await ClusterPool.UntilAsync(
            $"{name} is placed",
            async token => (placed = await pool.QueryAsync($"select extract(epoch from assigned_at) from attempts where run_id = '{run.Id}'", token)).Length > 0,
            stop);
        if (signal == Signals.Freeze)
        {
            Signals.Send(victim, Signals.Thaw);
            await ClusterPool.UntilAsync("the frozen coordinator ends by itself", _ => Task.FromResult(!victim.IsAlive()), stop);
        }

        return double.Parse(placed, CultureInfo.InvariantCulture) - (gone.ToUnixTimeMilliseconds() / 1000.0);
    }

    // A frozen coordinator holds its row locks until PostgreSQL ends its sessions; who is told to try again does so, by the same key.
    private static async Task<RunSummary> SubmitAsync(ApiClient api, string name, CancellationToken stop)
    {
        RunSummary? run = null;
        await ClusterPool.UntilAsync(
            $"{name} is accepted",
            async token =>
            {
                try
                {
                    run = await BenchCommand.SubmitAsync(api, BenchCommand.Spec(name, steps: 1_000_000, checkpointEvery: 0), token, key: name);
                }
                catch (ApiException e) when (e.Status is HttpStatusCode.ServiceUnavailable)
                {
                    // Accepted by none yet.
                }

                return run is not null;
            },
            stop);
        return run!;
    }
}
