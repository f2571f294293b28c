using System.Text.RegularExpressions;
using Xunit;
using static Hearth.Tests.Repository;

namespace Hearth.Tests;

/// <summary>The slices of the coordinator stand on each other in the order that ARCHITECTURE.md lists, without circles.</summary>
public sealed partial class SliceTests
{
    private const string Folder = "Coordinator/";
    private static readonly Slices Coordinator = new(Tracked()
        .Where(f => f.StartsWith(Folder, StringComparison.Ordinal) && f.EndsWith(".cs", StringComparison.Ordinal))
        .ToDictionary(f => f[Folder.Length..], f => File.ReadAllText(Path.Combine(Root, f)), StringComparer.Ordinal));

    [Fact]
    public void Every_source_of_the_coordinator_has_its_folder_for_a_namespace() => Assert.Empty(Coordinator.Misplaced());

    [Fact]
    public void The_slices_of_the_coordinator_have_no_circles()
    {
        Assert.NotEmpty(Coordinator.Uses());
        Assert.Empty(Slices.FindCircle(Coordinator.Uses()));
    }

    [Fact]
    public void A_slice_uses_only_those_that_the_architecture_lists_before_it()
    {
        var floors = Floors();
        Assert.Equal(Coordinator.All.Order(StringComparer.Ordinal), floors.Keys.Order(StringComparer.Ordinal));

        var upward = Coordinator.Uses().Where(u => floors.GetValueOrDefault(u.To, int.MaxValue) >= floors[u.From]).ToList();

        Assert.Empty(upward);
    }

    [Theory]
    [InlineData("using Hearth.Coordinator.Low;\nnamespace Hearth.Coordinator.High;", "Low")]
    [InlineData("using static Hearth.Coordinator.Low.Ladder;\nnamespace Hearth.Coordinator.High;", "Low")]
    [InlineData("using Rungs = Hearth.Coordinator.Low.Ladder;\nnamespace Hearth.Coordinator.High;", "Low")]
    [InlineData("using Hearth.Coordinator.Low.Deep;\nnamespace Hearth.Coordinator.High;", "Low.Deep")]
    [InlineData("namespace Hearth.Coordinator.High;\npublic sealed class Roof(Low.Ladder ladder);", "Low")]
    [InlineData("namespace Hearth.Coordinator.High;\npublic sealed class Roof(Hearth.Coordinator.Low.Ladder ladder);", "Low")]
    [InlineData("namespace Hearth.Coordinator.High;\npublic sealed class Roof(Low.Deep.Well well);", "Low.Deep")]
    [InlineData("namespace Hearth.Coordinator.High;\npublic static class Roof { static int High => Low.Ladder.Longest; }", "Low")]
    [InlineData("namespace Hearth.Coordinator.High;\npublic sealed class Roof(Door door);", "")]
    public void A_use_is_found_however_it_is_written(string text, string used)
    {
        var made = Made(("High/Roof.cs", text));

        Assert.Equal([("High", used)], made.Uses().Where(u => u.From == "High").Select(u => (u.From, u.To)).Distinct());
    }

    [Theory]
    [InlineData("namespace Hearth.Coordinator.Low.Deep;\npublic sealed class Pump(Ladder ladder);", "Low")]
    [InlineData("namespace Hearth.Coordinator.Low.Deep;\npublic static class Pump { static void Go(object o) => o.Climb(); }", "Low")]
    public void What_an_enclosing_namespace_declares_is_used_without_a_directive(string text, string used)
    {
        var made = Made(("Low/Deep/Pump.cs", text));

        Assert.Equal(used, Assert.Single(made.Uses()).To);
    }

    [Fact]
    public void Comments_the_own_slice_and_names_of_other_things_are_no_uses()
    {
        var made = Made(("Low/Steps.cs", "using Hearth.Runs;\nnamespace Hearth.Coordinator.Low;\n// Low.Deep.Well\npublic sealed class Steps(Ladder ladder, Other.Well well);"));

        Assert.Empty(made.Uses());
    }

    [Fact]
    public void A_circle_is_found_with_the_way_around_it()
    {
        SliceUse[] uses = [.. new[] { "start a", "a b", "b c", "b x", "x y", "c a" }.Select(e => e.Split(' ')).Select(e => new SliceUse(e[0], e[1], "", ""))];

        Assert.Equal(["a", "b", "c"], Slices.FindCircle(uses).Select(u => u.From));
        Assert.Empty(Slices.FindCircle(uses[..^1]));
    }

    // Slices of a floor stand side by side, so none of them uses another of it.
    private static Dictionary<string, int> Floors()
    {
        string text = File.ReadAllText(Path.Combine(Root, "ARCHITECTURE.md"));
        string section = Section().Match(text).Value;
        return Floor().Matches(section)
            .SelectMany(floor => Named().Matches(floor.Value).Select(n => (Slice: n.Groups["slice"].Value.Replace('/', '.'), Number: int.Parse(floor.Groups["number"].Value, System.Globalization.CultureInfo.InvariantCulture))))
            .ToDictionary(f => f.Slice, f => f.Number, StringComparer.Ordinal);
    }

    private static Slices Made(params (string Path, string Text)[] added) => new(new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["Door.cs"] = "namespace Hearth.Coordinator;\ninternal static class Door;",
        ["Low/Ladder.cs"] = "namespace Hearth.Coordinator.Low;\npublic sealed record Ladder(int Rungs);\npublic static class Climbing { public static int Climb(this object o) => 1; }",
        ["Low/Deep/Well.cs"] = "namespace Hearth.Coordinator.Low.Deep;\npublic sealed class Well;",
    }.Concat(added.Select(a => KeyValuePair.Create(a.Path, a.Text))).ToDictionary(StringComparer.Ordinal));

    [GeneratedRegex(@"^## The coordinator's slices$.*?(?=^## )", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Section();

    [GeneratedRegex(@"^(?<number>\d+)\. .*(\n   .*)*$", RegexOptions.Multiline)]
    private static partial Regex Floor();

    [GeneratedRegex(@"`(?<slice>[A-Z]\w+(/[A-Z]\w+)?)/`")]
    private static partial Regex Named();
}
