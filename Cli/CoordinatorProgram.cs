using System.CommandLine;
using System.Diagnostics;

namespace Hearth.Cli;

/// <summary>The coordinator's program, run as a child for what it measures by itself.</summary>
internal static class CoordinatorProgram
{
    /// <summary>A command whose words go to the program as they are.</summary>
    /// <param name="name">Of the command here.</param>
    /// <param name="description">One line of help.</param>
    /// <param name="words">The program's own name for it.</param>
    public static Command Forward(string name, string description, string[] words)
    {
        var command = new Command(name, description) { TreatUnmatchedTokensAsErrors = false };
        command.SetAction((parsed, _) => RunAsync([.. words, .. parsed.UnmatchedTokens], new Dictionary<string, string>()));
        return command;
    }

    /// <summary>Runs it to its end; a signal reaches it by itself.</summary>
    /// <param name="arguments">Its own.</param>
    /// <param name="environment">Settings beside those of this process.</param>
    public static async Task<int> RunAsync(IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("dotnet", [Repository.Coordinator, .. arguments]);
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode;
    }
}
