using System.CommandLine;
using System.Diagnostics;
using Hearth.Cli.Bench.Simulated;
using Hearth.Cli.Client;

namespace Hearth.Cli.Bench.Soak;

/// <summary>
/// <c>bench soak</c>: a coordinator under simulated workers that train, send points and end runs, for as long as is asked; its memory and the dead rows
/// of its database must not grow.
/// </summary>
internal static class SoakBench
{
    private const double MemorySlack = 32 << 20;
    private const double TupleSlack = 20_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var minutes = Given.Number("--minutes", "How long.", 60, 3, 10_000);
        var workers = Given.Number("--workers", "Simulated workers.", 200, 1, 10_000);
        var json = new Option<bool>("--json") { Description = "Print every sample as JSON." };
        var command = new Command("soak", "Memory and dead rows of a coordinator under simulated workers; ends with 1 where they grow.") { minutes, workers, json };
        command.SetAction((parsed, stop) => Guard.RunAsync(async () =>
        {
            var samples = await MeasureAsync(TimeSpan.FromMinutes(parsed.GetValue(minutes)), parsed.GetValue(workers), Console.Error.WriteLine, stop);
            var output = new Output(Console.Out, parsed.GetValue(json));
            var (memory, dead) = Trends(samples);
            output.Show(samples, all => output.Table(
                ["what", "middle third", "last third", "flat"],
                [
                    ["memory of the coordinator", Text.Bytes((long)memory.Middle), Text.Bytes((long)memory.Last), memory.Flat ? "yes" : "no"],
                    ["dead rows", Text.Count((long)dead.Middle), Text.Count((long)dead.Last), dead.Flat ? "yes" : "no"],
                    ["runs ended, database", Text.Count(all[^1].Runs), Text.Bytes(all[^1].DatabaseBytes), ""],
                ]));
            return memory.Flat && dead.Flat ? ExitCodes.Done : ExitCodes.Failed;
        }));
        return command;
    }

    /// <summary>Memory and dead rows over the samples.</summary>
    public static (SoakTrend Memory, SoakTrend DeadTuples) Trends(IReadOnlyList<SoakSample> samples) =>
        (SoakTrend.Of([.. samples.Select(s => (double)s.ResidentBytes)], MemorySlack), SoakTrend.Of([.. samples.Select(s => (double)s.DeadTuples)], TupleSlack));

    /// <returns>A sample for each hundredth of the time, but none more often than each second.</returns>
    public static async Task<IReadOnlyList<SoakSample>> MeasureAsync(TimeSpan length, int workers, Action<string> say, CancellationToken stop)
    {
        await using var pool = await ClusterPool.StartAsync(1, say, stop);
        await BenchCommand.ImportAsync(pool.Clients[0], stop);
        await pool.QueryAsync(SimulatedWorkers.Insert(workers), stop);
        say($"At rest the coordinator holds {Text.Bytes(Resident(pool))}.");
        await using var simulated = new SimulatedWorkers([pool.Clients[0].Address], workers, Training.Measured);
        var samples = new List<SoakSample>();
        long began = Stopwatch.GetTimestamp();
        var every = length / 100 > Patience ? length / 100 : Patience;
        for (int submitted = 0; Stopwatch.GetElapsedTime(began) < length;)
        {
            // As many wait as train, so that none of the workers is ever without one.
            long waiting = await pool.CountAsync("select count(*) from runs where state = 'queued'", stop);
            for (; waiting < workers; waiting++)
            {
                await BenchCommand.SubmitAsync(pool.Clients[0], BenchCommand.Spec($"soak-{submitted++}", steps: 1_000_000, checkpointEvery: 0), stop);
            }

            samples.Add(new SoakSample(
                Stopwatch.GetElapsedTime(began).TotalSeconds,
                Resident(pool),
                await pool.CountAsync("select sum(n_dead_tup) from pg_stat_user_tables", stop),
                await pool.CountAsync("select pg_database_size(current_database())", stop),
                await pool.CountAsync("select count(*) from runs where state = 'succeeded'", stop)));
            if (samples.Count % 10 == 0)
            {
                var s = samples[^1];
                say($"{Text.Span(TimeSpan.FromSeconds(s.Seconds))}: {Text.Bytes(s.ResidentBytes)}, {Text.Count(s.DeadTuples)} dead rows, {Text.Count(s.Runs)} runs ended.");
            }

            await Task.Delay(every, stop);
        }

        return samples;
    }

    private static long Resident(ClusterPool pool)
    {
        using var process = Process.GetProcessById(pool.Coordinators[0].Mark.Id);
        return process.WorkingSet64;
    }
}
