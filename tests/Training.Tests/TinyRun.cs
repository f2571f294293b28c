using System.Text;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Training.Tests;

/// <summary>A run small enough to train in a second: Qovaryx nano cut down, a few kilobytes of text, twelve steps.</summary>
internal static class TinyRun
{
    public const int Steps = 12;

    public static RunSpec Spec(Func<RunSpec, RunSpec>? change = null)
    {
        const string Text = """
            {
              "name": "tiny",
              "model": {"family": "qovaryx", "size": "nano", "d_model": 32, "n_layer": 1, "n_head": 2, "n_kv_head": 1, "d_ff": 48, "vocab_size": 300},
              "data": {"dataset": "text", "seq_len": 16, "validation_fraction": 0.2},
              "train": {"steps": 12, "batch_tokens": 128, "micro_batch": 4, "seed": 7},
              "optimizer": {"lr": 0.01, "warmup_steps": 3},
              "eval": {"every_steps": 5, "rows": 6},
              "sample": {"every_steps": 6, "prompt": "The ", "max_tokens": 8},
              "checkpoint": {"every_steps": 4, "keep_last": 3}
            }
            """;
        using var document = JsonDocument.Parse(Text);
        var spec = RunSpecReader.Read(document.RootElement).Spec!;
        return change is null ? spec : change(spec);
    }

    /// <summary>Text of 60 documents of different lengths, always the same.</summary>
    public static string WriteText(string folder)
    {
        string path = Path.Combine(folder, "text");
        Directory.CreateDirectory(path);
        string[] words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "red", "birds", "fly", "over", "hills"];
        var random = new Random(5);
        for (int d = 0; d < 60; d++)
        {
            var text = new StringBuilder();
            for (int w = 0; w < 20 + (d % 7 * 11); w++)
            {
                text.Append(words[random.Next(words.Length)]).Append(w % 9 == 8 ? ".\n" : " ");
            }

            File.WriteAllText(Path.Combine(path, $"doc{d:D2}.txt"), text.ToString());
        }

        return path;
    }

    public static TrainerJob Job(TempFolder folder, string work, RunSpec? spec = null, string? resume = null) => new()
    {
        Spec = spec ?? Spec(),
        DatasetPath = Directory.Exists(folder.At("text")) ? folder.At("text") : WriteText(folder.Path),
        CachePath = folder.At("cache"),
        WorkPath = folder.At(work),
        ResumePath = resume,
        Threads = 1,
    };
}
