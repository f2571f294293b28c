using System.CommandLine;
using System.Diagnostics;

namespace Hearth.Cli;

/// <summary>The trainer program, run as a child with the terminal's own streams.</summary>
internal static class TrainerProgram
{
    /// <summary>A command whose words go to the trainer as they are.</summary>
    /// <param name="name">Of the command here.</param>
    /// <param name="description">One line of help.</param>
    /// <param name="words">The trainer's own name for it, where it has another.</param>
    public static Command Forward(string name, string description, string[]? words = null)
    {
        var command = new Command(name, description) { TreatUnmatchedTokensAsErrors = false };
        command.SetAction((parsed, stop) => RunAsync([.. words ?? [name], .. parsed.UnmatchedTokens], stop));
        return command;
    }

    /// <returns>The trainer's exit code. A signal reaches the child by itself; this waits for it to stop cleanly.</returns>
    public static async Task<int> RunAsync(IEnumerable<string> arguments, CancellationToken stop)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Repository.Trainer, .. arguments]))!;
        using var interrupt = stop.Register(() => Console.Error.WriteLine("Stopping: the trainer writes its checkpoint first ..."));
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode;
    }

    /// <summary>What it prints, for commands that read it.</summary>
    /// <exception cref="CliException">It failed; its own words.</exception>
    public static async Task<string> ReadAsync(IEnumerable<string> arguments, CancellationToken stop)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Repository.Trainer, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(stop);
        var errors = process.StandardError.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        return process.ExitCode == 0 ? await output : throw new CliException((await errors).Trim(), process.ExitCode);
    }
}
