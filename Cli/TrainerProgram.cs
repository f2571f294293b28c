using System.CommandLine;
using System.Diagnostics;

namespace Hearth.Cli;

/// <summary>The trainer program, run as a child with the terminal's own streams.</summary>
internal static class TrainerProgram
{
    /// <summary>A command whose words go to the trainer as they are.</summary>
    public static Command Forward(string name, string description)
    {
        var command = new Command(name, description) { TreatUnmatchedTokensAsErrors = false };
        command.SetAction((parsed, stop) => RunAsync([name, .. parsed.UnmatchedTokens], stop));
        return command;
    }

    /// <returns>The trainer's exit code. A signal reaches the child by itself; this waits for it to stop cleanly.</returns>
    public static async Task<int> RunAsync(IEnumerable<string> arguments, CancellationToken stop)
    {
        string program = Path.Combine(Repository.Root, "Worker/Training/bin", Repository.Configuration, "net10.0/hearth-trainer.dll");
        using var process = Process.Start(new ProcessStartInfo("dotnet", [program, .. arguments]))!;
        using var interrupt = stop.Register(() => Console.Error.WriteLine("Stopping: the trainer writes its checkpoint first ..."));
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode;
    }
}
