using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Hearth.Kernels;

/// <summary>Asks python3 where its torch lies, without importing it: importing takes seconds.</summary>
internal static partial class PythonTorchProbe
{
    private const string Question = """
        from importlib.util import find_spec
        for name in "torch", "nvidia":
            spec = find_spec(name)
            for folder in (spec and spec.submodule_search_locations) or []:
                print(name, folder)
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <returns>Null where there is no python3, or no torch in it.</returns>
    public static PythonTorch? Ask()
    {
        try
        {
            string python = OperatingSystem.IsWindows() ? "python" : "python3";
            using var process = Process.Start(new ProcessStartInfo(python, ["-c", Question]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginErrorReadLine();
            var answer = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(Patience))
            {
                process.Kill(entireProcessTree: true);
                return null;
            }

            return process.ExitCode == 0 ? Read(answer.Result, path => File.Exists(path) ? File.ReadAllText(path) : null) : null;
        }
        catch (Exception e) when (e is Win32Exception or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <param name="answer">Lines of a package's name and one of its folders.</param>
    /// <param name="readFile">A file's text; null where it is not there.</param>
    public static PythonTorch? Read(string answer, Func<string, string?> readFile)
    {
        var folders = answer.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', 2))
            .Where(parts => parts.Length == 2)
            .ToLookup(parts => parts[0], parts => parts[1], StringComparer.Ordinal);
        if (folders["torch"].FirstOrDefault() is not { } torch || readFile(Path.Combine(torch, "version.py")) is not { } source)
        {
            return null;
        }

        return VersionLine().Match(source) is { Success: true } match ? new PythonTorch(torch, match.Groups[1].Value, [.. folders["nvidia"]]) : null;
    }

    [GeneratedRegex("""^__version__\s*=\s*['"]([^'"]+)['"]""", RegexOptions.Multiline)]
    private static partial Regex VersionLine();
}
