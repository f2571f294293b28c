using System.Globalization;
using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary><c>models</c> as it is typed: the table, one model's tensors, and what is refused.</summary>
public sealed class ModelsCommandTests
{
    [Fact]
    public void Every_family_and_size_is_listed_with_memory_for_each_precision_and_optimizer()
    {
        var result = TrainerCommandLine.Run("models", "--json");

        Assert.Equal((ExitCodes.Done, ""), (result.Exit, result.Errors));
        using var json = JsonDocument.Parse(result.Output);
        var rows = json.RootElement.EnumerateArray().ToList();
        Assert.Equal(
            Families.All.SelectMany(f => f.Sizes.Select(s => (f.Name, s))),
            rows.Select(r => (r.GetProperty("family").GetString()!, r.GetProperty("size").GetString()!)));
        var femto = rows.Single(r => r.GetProperty("family").GetString() == "vuaf" && r.GetProperty("size").GetString() == "femto");
        Assert.Equal(2_460_629, femto.GetProperty("parameters").GetInt64());
        var plan = Families.Plan(new ModelSpec { Family = "vuaf", Size = "femto" }, [])!;
        Assert.Equal(plan.FlopsPerToken(1024), femto.GetProperty("flops_per_token").GetDouble());
        var memory = femto.GetProperty("memory").EnumerateArray().ToDictionary(
            m => (m.GetProperty("precision").GetString()!, m.GetProperty("optimizer").GetString()!),
            m => m.GetProperty("bytes").GetProperty("total").GetInt64());
        Assert.Equal(6, memory.Count);
        Assert.Equal(MemoryForecast.Of(plan, 1, 1024, "bf16", new OptimizerSpec { Name = "muon" }).Total, memory[("bf16", "muon")]);

        // Muon keeps less than AdamW, but turning a small model's matrices takes more than that beside it.
        Assert.True(memory[("fp32", "adamw8bit")] < memory[("fp32", "adamw")] && memory[("fp32", "adamw")] < memory[("fp32", "muon")]);
    }

    [Fact]
    public void The_table_for_people_has_a_line_for_each_size_of_the_named_family()
    {
        var result = TrainerCommandLine.Run("models", "qovaryx", "--seq-len", "512");

        Assert.Equal(ExitCodes.Done, result.Exit);
        Assert.Equal(["nano", "50m", "350m", "1b"], result.Lines[1..^1].Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]));
        Assert.Contains("46,557,184", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vuaf", "femto")]
    [InlineData("qovaryx", "350m")]
    [InlineData("moa", "nano")]
    [InlineData("positronic", "144m")]
    [InlineData("hybrid", "16mb")]
    public void The_tensor_table_is_the_calculators_by_name_shape_and_count(string family, string size)
    {
        var result = TrainerCommandLine.Run("models", "describe", family, size);

        Assert.Equal((ExitCodes.Done, ""), (result.Exit, result.Errors));
        var listed = result.Lines[..^1].Select(line => line.Split(' ', 2)).Select(p => (Name: p[0], Shape: p[1].Split(']')[0].Trim(' ', '['), Count: p[1].Split(']')[1])).ToList();
        Assert.Equal(Calculated(family, size).Order(), listed.Select(t => (t.Name, t.Shape.Replace(", ", "x", StringComparison.Ordinal))).Order());
        long total = listed.Sum(t => long.Parse(t.Count, NumberStyles.AllowThousands | NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture));
        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"total {total:N0}"), result.Lines[^1]);
    }

    [Fact]
    public void Fields_are_set_as_numbers_words_and_lists()
    {
        var result = TrainerCommandLine.Run(
            "models", "describe", "vuaf", "nano", "--set", "n_layers=2", "--set", "token_mix_pattern=mamba2,attn", "--set", "rwkv_norm=sequence", "--json");

        Assert.Equal((ExitCodes.Done, ""), (result.Exit, result.Errors));
        using var json = JsonDocument.Parse(result.Output);
        var config = json.RootElement.GetProperty("config");
        Assert.Equal("sequence", config.GetProperty("rwkv_norm").GetString());
        Assert.Equal(["mamba2", "attn"], config.GetProperty("token_mix_pattern").EnumerateArray().Select(m => m.GetString()));
        Assert.Contains(json.RootElement.GetProperty("tensors").EnumerateArray(), t => t.GetProperty("name").GetString() == "blocks.1.token_mix.module.qkv.weight");
    }

    [Theory]
    [InlineData("models describe nobody nano", "No family is called nobody. Allowed: qovaryx, moa, positronic, hybrid, vuaf.")]
    [InlineData("models nobody", "No family is called nobody. Allowed: qovaryx, moa, positronic, hybrid, vuaf.")]
    [InlineData("models describe vuaf 7b", "VUAF has no size 7b. Allowed: nano, femto, pico, micro.")]
    [InlineData("models describe vuaf nano --set loop_step=3", "No field is called model.loop_step. Nearest: model.loop_steps.")]
    [InlineData("models describe vuaf nano --set loop_steps=x", "model.loop_steps is x. Allowed: 1 to 32.")]
    [InlineData("models describe vuaf nano --set loop_steps", "--set is loop_steps. Allowed: field=value.")]
    [InlineData("models --set loop_steps=2", "--set is loop_steps=2, but no family is named. Allowed: with models FAMILY [SIZE].")]
    [InlineData("models describe vuaf", "models describe vuaf is not complete. Allowed: models describe FAMILY SIZE.")]
    public void What_is_wrong_is_named_with_what_is_allowed(string words, string message)
    {
        var result = TrainerCommandLine.Run(words.Split(' '));

        Assert.Equal(ExitCodes.BadInput, result.Exit);
        Assert.Equal($"hearth-trainer: {message}", result.Errors.TrimEnd());
    }

    // Lines of the form "name 64x64 group" below "# size".
    private static IEnumerable<(string Name, string Shape)> Calculated(string family, string size) =>
        File.ReadLines(Path.Combine(AppContext.BaseDirectory, "cases", family + ".tensors.txt"))
            .SkipWhile(line => line != "# " + size)
            .Skip(1)
            .TakeWhile(line => !line.StartsWith('#'))
            .Select(line => line.Split(' '))
            .Select(parts => (parts[0], parts[1]));
}
