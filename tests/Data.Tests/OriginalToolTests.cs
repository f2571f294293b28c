using System.Diagnostics;
using Hearth.Tokenizers;
using Xunit;

namespace Hearth.Tests;

/// <summary>Against Debian's <c>spm_encode</c> and <c>spm_decode</c> on real text, where both are installed.</summary>
public sealed class OriginalToolTests : IDisposable
{
    private const string Text = "/usr/share/doc/python3-doc/html/_sources";
    private const int Lines = 10_000;
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-spm-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableTheory]
    [InlineData("spm-bpe")]
    [InlineData("spm-bpe-bytes")]
    [InlineData("trained")]
    [InlineData("trained-nfkc")]
    public void Vuaf_check_9_ten_thousand_real_lines_encode_and_decode_as_the_original_tool_does(string name)
    {
        string[] lines = RealLines();
        var tokenizer = name switch
        {
            "trained" => Train(lines, new SpmTraining()),
            "trained-nfkc" => Train(lines, new SpmTraining { Symbols = ["<pad>", "def ", "::"], ByteFallback = false, Normalizer = Case("spm-bpe").Normalizer }),
            _ => Case(name),
        };
        string model = Path.Combine(_folder, "spm.model"), text = Path.Combine(_folder, "text"), ids = Path.Combine(_folder, "ids");
        File.WriteAllBytes(model, tokenizer.File);
        File.WriteAllLines(text, lines);

        Tool("spm_encode", $"--model={model}", "--output_format=id", $"--input={text}", $"--output={ids}");
        Tool("spm_decode", $"--model={model}", "--input_format=id", $"--input={ids}", $"--output={text}");

        int[][] expected = [.. File.ReadLines(ids).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).ToArray())];
        Assert.Equal(expected, lines.Select(line => tokenizer.Encode(line)));
        Assert.Equal(File.ReadLines(text), expected.Select(line => tokenizer.Decode(line, withSpecial: true)));
    }

    private static SentencePieceTokenizer Case(string name) => SentencePieceTokenizer.Load(Path.Combine(AppContext.BaseDirectory, "cases", name + ".model"));

    private static ITokenizer Train(string[] lines, SpmTraining how)
    {
        var trainer = new SentencePieceTrainer(how);
        foreach (string line in lines)
        {
            trainer.Add(line);
        }

        return trainer.Train(1024);
    }

    private static string[] RealLines()
    {
        Skip.IfNot(OnPath("spm_encode") && OnPath("spm_decode"), "Debian's sentencepiece is not installed");
        Skip.IfNot(Directory.Exists(Text), "Debian's python3-doc is not installed");
        string[] lines = [.. Directory.EnumerateFiles(Text, "*.txt", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .SelectMany(File.ReadLines).Where(l => !string.IsNullOrWhiteSpace(l)).Where((_, i) => i % 7 == 0).Take(Lines)];
        Assert.Equal(Lines, lines.Length);
        return lines;
    }

    private static bool OnPath(string tool) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, tool)));

    private static void Tool(string name, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(name, arguments) { RedirectStandardError = true })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{name}: {errors}");
    }
}
