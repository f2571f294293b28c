using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary><c>recipe</c> as the real program prints it.</summary>
public sealed class RecipeCommandTests
{
    [Fact]
    public void Its_json_is_the_familys_recipe_on_the_named_dataset_with_the_fields_that_were_set()
    {
        var result = TrainerCommandLine.Run("recipe", "hybrid", "nano", "--dataset", "docs", "--set", "attn_layers=1,4", "--json");

        Assert.Equal((ExitCodes.Done, ""), (result.Exit, result.Errors));
        var run = RunChecks.Validate(JsonSerializer.Deserialize<JsonElement>(result.Output));
        Assert.Empty(run.Errors);
        var recipe = Families.Find("hybrid")!.Recipe("nano");
        Assert.Equal(recipe.Optimizer, run.Spec!.Optimizer);
        Assert.Equal(recipe.Train, run.Spec.Train);
        Assert.Equal("docs", run.Spec.Data.Dataset);
        Assert.Equal([1, 4], run.Spec.Model.Overrides["attn_layers"].EnumerateArray().Select(v => v.GetInt32()));
    }

    [Fact]
    public void Its_yaml_given_to_train_is_refused_in_one_line_that_names_what_to_do()
    {
        using var folder = new TempFolder();
        string yaml = folder.At("run.yaml");
        File.WriteAllText(yaml, TrainerCommandLine.Run("recipe", "vuaf", "nano", "--dataset", "docs").Output);

        var result = TrainerCommandLine.Run("train", "--spec", yaml, "--out", folder.At("out"));

        Assert.Equal(ExitCodes.BadInput, result.Exit);
        Assert.Equal($"hearth-trainer: {yaml} is no JSON (line 1). A spec for the trainer is a JSON object; recipe --json writes one, and hearth train reads YAML.", result.Errors.TrimEnd());
    }

    [Fact]
    public void Its_yaml_has_every_field_with_its_help_and_the_familys_own_ones_to_take_in()
    {
        var lines = TrainerCommandLine.Run("recipe", "vuaf", "nano", "--dataset", "docs").Lines;

        Assert.Equal("# VUAF nano, 521,151 parameters, as docs/families/vuaf.md recommends it.", lines[0]);
        Assert.Contains(lines, l => l.StartsWith("  entropy_reg_coef: 0.05 ", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("  # token_mix_pattern: [rwkv7, mamba2, rwkv7, attn, rwkv7, mamba2]", StringComparison.Ordinal));
        Assert.All(RunSpecFields.All, rule => Assert.Contains(lines, l => l.TrimStart().StartsWith($"{rule.Path.Split('.')[^1]}: ", StringComparison.Ordinal) && l.Contains(rule.Help, StringComparison.Ordinal)));
        Assert.All(Families.Find("vuaf")!.Fields, field => Assert.Contains(lines, l => l.Contains($" {field.Name}: ", StringComparison.Ordinal) && l.Contains(field.Help, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("recipe vuaf", "recipe vuaf names no family and size. Allowed: recipe FAMILY SIZE.")]
    [InlineData("recipe vuaf 7b", "VUAF has no size 7b. Allowed: nano, femto, pico, micro.")]
    [InlineData("recipe hybrid nano --set attn_layers=9", "model.attn_layers is 9. Allowed: 0 to 4, each once.")]
    public void What_is_wrong_is_named_with_what_is_allowed(string words, string message)
    {
        var result = TrainerCommandLine.Run(words.Split(' '));

        Assert.Equal(ExitCodes.BadInput, result.Exit);
        Assert.Equal($"hearth-trainer: {message}", result.Errors.TrimEnd());
    }
}
