using System.ComponentModel;
using System.Diagnostics;

namespace Hearth.Cli;

/// <summary>Other programs that are run for what they print.</summary>
internal static class ProgramOutput
{
    /// <param name="command">The program and its words.</param>
    /// <param name="folder">Where it runs.</param>
    /// <param name="stop">Ends the wait.</param>
    /// <param name="environment">Variables beside those that there are.</param>
    /// <returns>What it printed, without white space around it.</returns>
    /// <exception cref="CliException">It is not there, or failed; the command, its exit code, and its own words.</exception>
    public static async Task<string> ReadAsync(string[] command, string folder, CancellationToken stop, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Start(start);
        var output = process.StandardOutput.ReadToEndAsync(stop);
        var errors = process.StandardError.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        return process.ExitCode == 0
            ? (await output).Trim()
            : throw new CliException($"{string.Join(' ', command)} ended with {process.ExitCode}: {(await errors).Trim()}");
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new CliException($"{start.FileName} cannot be started in {start.WorkingDirectory}: {e.Message.TrimEnd('.')}. Is it installed?");
        }
    }
}
