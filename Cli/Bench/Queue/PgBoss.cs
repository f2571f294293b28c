using System.Globalization;

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
        await ProgramOutput.ReadAsync(["npm", "ci", "--no-audit", "--no-fund", "--prefer-offline"], Folder, stop);
        string said = await ProgramOutput.ReadAsync(
            ["node", "queue.mjs", jobs.ToString(CultureInfo.InvariantCulture), consumers.ToString(CultureInfo.InvariantCulture)],
            Folder,
            stop,
            ("PGHOST", socketFolder),
            ("PGUSER", "hearth"),
            ("PGDATABASE", database));
        return jobs / double.Parse(said, CultureInfo.InvariantCulture);
    }
}
