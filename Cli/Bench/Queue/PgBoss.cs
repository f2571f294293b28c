using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Hearth.Cli.Bench.Queue;

/// <summary>What pg-boss, a queue of jobs in PostgreSQL for Node, does on the server that a coordinator works on; npm installs it at the first use.</summary>
internal static class PgBoss
{
    private static readonly string Folder = Path.Combine(Repository.Root, "Cli", "Bench", "Queue", "pg-boss");

    /// <summary>Fetches and completes jobs, one at a time by each consumer.</summary>
    /// <returns>Jobs a second.</returns>
    /// <exception cref="CliException">npm or the program failed; tells what it said.</exception>
    public static async Task<double> MeasureAsync(string socketFolder, string database, int jobs, int consumers, CancellationToken stop)
    {
        await RunAsync("npm", ["ci", "--no-audit", "--no-fund", "--prefer-offline"], [], stop);
        string said = await RunAsync(
            "node",
            ["queue.mjs", jobs.ToString(CultureInfo.InvariantCulture), consumers.ToString(CultureInfo.InvariantCulture)],
            [("PGHOST", socketFolder), ("PGUSER", "hearth"), ("PGDATABASE", database)],
            stop);
        return jobs / JsonDocument.Parse(said).RootElement.GetProperty("seconds").GetDouble();
    }

    private static async Task<string> RunAsync(string program, string[] words, (string Name, string Value)[] environment, CancellationToken stop)
    {
        var start = new ProcessStartInfo(program, words) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(stop);
        var errors = process.StandardError.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        return process.ExitCode == 0
            ? await output
            : throw new CliException($"{program} {words[0]} ended with {process.ExitCode}: {(await errors).Trim()}");
    }
}
