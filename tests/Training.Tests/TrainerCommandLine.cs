using System.Diagnostics;

namespace Hearth.Training.Tests;

/// <summary>The real program as a shell starts it: words in, what it prints and its exit code out.</summary>
internal sealed record TrainerCommandResult(int Exit, string Output, string Errors)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

internal static class TrainerCommandLine
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    /// <summary>Runs it to its end; <paramref name="input"/> is what a person types, and then leaves.</summary>
    public static TrainerCommandResult Run(IEnumerable<string> words, string input = "")
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "hearth-trainer.dll"), .. words])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["OMP_NUM_THREADS"] = "1";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        if (!process.WaitForExit(Deadline))
        {
            process.Kill();
            throw new TimeoutException($"hearth-trainer {string.Join(' ', words)} did not end within {Deadline.TotalSeconds} s.");
        }

        return new TrainerCommandResult(process.ExitCode, output.Result, errors.Result);
    }

    public static TrainerCommandResult Run(params string[] words) => Run(words, "");
}
