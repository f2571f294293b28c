using Hearth.Training.Parity;
using static TorchSharp.torch;

namespace Hearth.Training.Commands;

/// <summary>The parity cases of a folder as a part of <c>selftest</c>.</summary>
internal static class SelfTestCases
{
    public static readonly string[] Types = ["fp64", "fp32"];

    /// <exception cref="BadInputException">The folder is missing or holds no case.</exception>
    public static string[] Find(string folder)
    {
        string[] cases = Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, "*.safetensors").Order(StringComparer.Ordinal)] : [];
        return cases.Length > 0
            ? cases
            : throw new BadInputException($"--cases is {folder}: no file there ends in .safetensors. Allowed: a folder of parity cases, such as tests/Models.Tests/cases of the repository.");
    }

    /// <summary>Whether every difference is within the case's tolerance; of a case that is not, every line is printed.</summary>
    public static bool Run(string path, string dtype, Device on, TextWriter log)
    {
        using var lines = new StringWriter();
        bool good = ParityRunner.Run(path, dtype, on.ToString(), output: null, lines) == 0;
        log.WriteLine($"{(good ? "ok    " : "FAILED")} parity of {Path.GetFileNameWithoutExtension(path)} in {dtype}");
        if (!good)
        {
            log.Write(lines);
        }

        return good;
    }
}
