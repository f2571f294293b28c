using System.Text.Json;
using Hearth.Api;
using Hearth.Cli;
using Hearth.Cli.Recipes;
using Hearth.Coordinator.Sweeps;
using Hearth.Coordinator.Sweeps.Rules;
using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests;

/// <summary>The files of <c>recipes/</c> are what the service takes.</summary>
public sealed class RecipesTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "recipes");

    public static TheoryData<string> Runs { get; } = [.. Recipe.All(Folder).Where(r => !r.IsSweep).Select(r => r.Name)];

    public static TheoryData<string> Sweeps { get; } = [.. Recipe.All(Folder).Where(r => r.IsSweep).Select(r => r.Name)];

    [Fact]
    public void There_is_one_of_every_family_and_kind()
    {
        var all = Recipe.All(Folder).ToLookup(r => ($"{r.Spec["model"]!["family"]}", r.Kind));

        Assert.All(Families.All.SelectMany(f => new[] { RunTasks.Pretrain, RunTasks.Sft, "sweep" }, (f, kind) => (f.Name, kind)), key => Assert.NotEmpty(all[key]));
        Assert.All(Recipe.All(Folder), r => Assert.Contains("Data:", r.About, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void A_run_passes_every_check_of_a_submission(string name)
    {
        var run = RunChecks.Validate(Recipe.Find(Folder, name).With("texts", name.EndsWith("-sft", StringComparison.Ordinal) ? "r-1" : null, null));

        Assert.Empty(run.Errors.Select(e => e.Message));
        Assert.Equal("texts", run.Spec!.Data.Dataset);
    }

    [Theory]
    [MemberData(nameof(Sweeps))]
    public void A_sweep_passes_every_check_at_both_ends_of_its_ranges(string name)
    {
        var sweep = Recipe.Find(Folder, name).With("texts", null, null).Deserialize<SubmitSweep>(Json.Wire)!;

        var (plan, errors) = SweepPlans.Read(sweep);

        Assert.Empty(errors.Select(e => e.Message));
        Assert.All(SpaceCorners.Of(plan!.Space), corner => Assert.Empty(RunChecks.Validate(TrialRuns.SpecOf(sweep, plan, corner, 0)).Errors.Select(e => e.Message)));
    }

    [Theory]
    [InlineData("vuaf", "micro")]
    [InlineData("qovaryx", "50m")]
    [InlineData("qovaryx", "350m")]
    [InlineData("qovaryx", "1b")]
    [InlineData("moa", "400m")]
    [InlineData("positronic", "144m")]
    [InlineData("hybrid", "16mb")]
    public void A_familys_file_is_what_the_family_recommends(string family, string size)
    {
        var recommended = Families.Find(family)!.Recipe(size);
        var file = RunChecks.Validate(Recipe.Find(Folder, $"{family}-{size}").With("texts", null, null)).Spec!;

        Assert.Equal(
            JsonSerializer.Serialize(recommended with { Data = recommended.Data with { Dataset = "texts" } }, Json.Wire),
            JsonSerializer.Serialize(file, Json.Wire));
    }

    [Fact]
    public void A_wrong_name_and_a_missing_checkpoint_are_said()
    {
        var unknown = Assert.Throws<CliException>(() => Recipe.Find(Folder, "qovaryx-50"));
        var start = Assert.Throws<CliException>(() => Recipe.Find(Folder, "qovaryx-50m-sft").With(null, null, null));

        Assert.StartsWith("No recipe is called qovaryx-50. Nearest: qovaryx-50m.", unknown.Message, StringComparison.Ordinal);
        Assert.Equal("qovaryx-50m-sft begins with a checkpoint. Give it with --start, such as r-12 or r-12@500.", start.Message);
    }
}
