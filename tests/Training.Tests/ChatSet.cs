using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Training.Tests;

/// <summary>Conversations about the words of <see cref="TinyRun"/>'s text, and runs that tune on them.</summary>
internal static class ChatSet
{
    private static readonly string[] Words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "red", "birds", "fly", "over", "hills"];

    /// <summary>Sixty conversations of one to three turns a side, always the same.</summary>
    public static string Write(string folder)
    {
        string path = Path.Combine(folder, "chat.jsonl");
        File.WriteAllLines(path, Enumerable.Range(0, 60).Select(i => JsonSerializer.Serialize(new
        {
            messages = Enumerable.Range(0, 1 + (i % 3)).SelectMany(turn => new[]
            {
                new { role = "user", content = $"Say {Words[(i + turn) % Words.Length]}" },
                new { role = "assistant", content = $"{Words[(i + turn) % Words.Length]} {Words[(i + 3) % Words.Length]}." },
            }),
        })));
        return path;
    }

    public static RunSpec Tune(RunSpec pretrained, string start) => pretrained with
    {
        Name = "tuned",
        Task = RunTasks.Sft,
        StartFrom = start,
        Data = pretrained.Data with { Dataset = "chat", SeqLen = 48 },
        Train = pretrained.Train with { BatchTokens = 384, MicroBatch = 4 },
        Sample = pretrained.Sample with { Prompt = "Say cat" },
    };

    public static TrainerJob Job(TempFolder folder, string work, RunSpec spec, string? resume = null) => new()
    {
        Spec = spec,
        DatasetPath = File.Exists(folder.At("chat.jsonl")) ? folder.At("chat.jsonl") : Write(folder.Path),
        CachePath = folder.At("cache"),
        WorkPath = folder.At(work),
        StartPath = spec.StartFrom,
        ResumePath = resume,
        Threads = 1,
    };
}
