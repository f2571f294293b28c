using System.CommandLine;
using Hearth.Cli.Pool;

namespace Hearth.Cli.Bench;

/// <summary>What the coordinator's program measures on a database alone: it gets a private PostgreSQL, which is gone afterwards.</summary>
internal static class DatabaseBench
{
    /// <summary>A command whose words go to the program as they are.</summary>
    /// <param name="name">Of the command, here and there.</param>
    /// <param name="description">One line of help.</param>
    public static Command Create(string name, string description)
    {
        var command = new Command(name, description) { TreatUnmatchedTokensAsErrors = false };
        command.SetAction((parsed, stop) => Guard.RunAsync(() => RunAsync(["bench", name, .. parsed.UnmatchedTokens], stop)));
        return command;
    }

    private static async Task<int> RunAsync(string[] words, CancellationToken stop)
    {
        var folder = new PoolFolder(Directory.CreateTempSubdirectory("hearth-bench-").FullName, 1);
        var cluster = PostgresCluster.In(folder.Root);
        try
        {
            await using var server = await cluster.StartAsync(folder, Console.Error.WriteLine, stop);
            return await CoordinatorProgram.RunAsync(words, new Dictionary<string, string> { ["HEARTH_DATABASE"] = cluster.Connection });
        }
        finally
        {
            folder.Dispose();

            // The cluster lies elsewhere where its account cannot enter the folder.
            foreach (string left in new[] { cluster.Home, folder.Root }.Where(Directory.Exists))
            {
                Directory.Delete(left, recursive: true);
            }
        }
    }
}
