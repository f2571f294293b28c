using System.Text;
using System.Text.Json;
using Hearth.Agent.Tests.Support;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>The agent with the trainer that it is made for, on a model of a few thousand parameters.</summary>
public sealed class RealTrainerTests
{
    private const string SpecText = """
        {
          "name": "tiny",
          "model": {"family": "qovaryx", "size": "nano", "d_model": 32, "n_layer": 1, "n_head": 2, "n_kv_head": 1, "d_ff": 48, "vocab_size": 300},
          "data": {"dataset": "text", "seq_len": 16, "validation_fraction": 0.2},
          "train": {"steps": 90, "batch_tokens": 128, "micro_batch": 4, "seed": 7},
          "optimizer": {"lr": 0.01, "warmup_steps": 3},
          "eval": {"every_steps": 45, "rows": 6},
          "sample": {"every_steps": 45, "prompt": "The ", "max_tokens": 8},
          "checkpoint": {"every_steps": 30, "keep_last": 3}
        }
        """;

    [Fact]
    public async Task A_run_resumed_from_the_store_ends_with_the_trace_of_the_straight_one()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent(AgentProcess.RealTrainer);
        var data = pool.Coordinator.Store("text.jsonl", Text());
        var straight = pool.Coordinator.Place(Spec(), a => a with { Dataset = [data] });
        var whole = await pool.EndAsync(straight);
        Assert.Equal((AttemptState.Succeeded, 90L), (whole.Outcome, whole.Step));
        Assert.NotEmpty(straight.Steps("validation_loss"));
        Assert.NotEmpty(straight.Samples);
        var middle = straight.Commits.All[0].Manifest;
        Assert.InRange(middle.Step, 1, 89);

        // With the prepared dataset that the first attempt published, as another worker would get it.
        var prepared = Assert.Single(straight.Prepared.All).Files.Select(f => new BlobRef(f.Name, f.Sha256, f.Bytes, $"/blobs/{f.Sha256}?sig=abc")).ToList();
        var second = pool.Coordinator.Place(
            Spec(), a => a with { Dataset = [], Prepared = prepared, CheckpointId = Guid.NewGuid(), Checkpoint = pool.Coordinator.Files(middle) });

        var resumed = await pool.EndAsync(second);
        Assert.Equal((whole.Outcome, whole.Step, whole.Trace), (resumed.Outcome, resumed.Step, resumed.Trace));
        Assert.Equal(middle.Step + 1, second.Steps("loss")[0]);
        pool.AssertProtocolKept();
    }

    internal static RunSpec Spec(int steps = 90)
    {
        using var document = JsonDocument.Parse(SpecText);
        var spec = RunSpecReader.Read(document.RootElement).Spec!;
        return spec with { Train = spec.Train with { Steps = steps } };
    }

    internal static string Text()
    {
        string[] words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "red", "birds", "fly", "over", "hills"];
        var random = new Random(5);
        var lines = new StringBuilder();
        for (int d = 0; d < 60; d++)
        {
            string text = string.Join(' ', Enumerable.Range(0, 20 + (d % 7 * 11)).Select(_ => words[random.Next(words.Length)]));
            lines.AppendLine(JsonSerializer.Serialize(new { name = $"doc{d}", text }));
        }

        return lines.ToString();
    }
}
