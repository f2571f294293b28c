using System.Diagnostics;
using System.Xml.Linq;
using Xunit;

namespace Hearth.Tests;

/// <summary>The rules of ARCHITECTURE.md and CONTRIBUTING.md that a machine can check.</summary>
public sealed class StructureTests
{
    private static readonly string Root = FindRoot();

    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Shared"] = [],
        ["Kernels"] = [],
        ["Models"] = ["Kernels", "Shared"],
        ["Training"] = ["Models", "Kernels", "Shared"],
        ["Agent"] = ["Shared"],
        ["Standalone"] = ["Agent", "Training"],
        ["Coordinator"] = ["Shared", "Models"],
        ["Cli"] = ["Shared"],
    };

    [Fact]
    public void Projects_reference_only_what_the_architecture_allows()
    {
        string[] projects = [.. Tracked().Where(f => f.EndsWith(".csproj", StringComparison.Ordinal) && !f.StartsWith("tests/", StringComparison.Ordinal))];
        Assert.NotEmpty(projects);
        foreach (string project in projects)
        {
            string name = Path.GetFileNameWithoutExtension(project);
            Assert.True(Allowed.ContainsKey(name), $"{project} is not in the table of allowed references");
            var references = XDocument.Load(Path.Combine(Root, project)).Descendants("ProjectReference")
                .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value));
            Assert.All(references, r => Assert.True(Allowed[name].Contains(r), $"{project} must not reference {r}"));
        }
    }

    [Fact]
    public void No_source_file_is_over_600_lines()
    {
        string[] endings = [".cs", ".ts", ".tsx", ".cu", ".css", ".sh", ".mjs"];
        var long_ = Tracked().Where(f => endings.Contains(Path.GetExtension(f)) && !f.Contains("/generated/", StringComparison.Ordinal))
            .Select(f => (File: f, Lines: File.ReadLines(Path.Combine(Root, f)).Count()))
            .Where(f => f.Lines > 600);

        Assert.Empty(long_);
    }

    [Fact]
    public void Every_entry_point_is_at_most_70_lines()
    {
        var long_ = Tracked().Where(f => Path.GetFileName(f) == "Program.cs")
            .Where(f => File.ReadLines(Path.Combine(Root, f)).Count() > 70);

        Assert.Empty(long_);
    }

    [Fact]
    public void Every_family_folder_is_listed()
    {
        string list = File.ReadAllText(Path.Combine(Root, "Worker/Models/Families.cs"));
        var families = Tracked().Where(f => f.StartsWith("Worker/Models/", StringComparison.Ordinal) && f.EndsWith("Family.cs", StringComparison.Ordinal) && f.Count(c => c == '/') == 3)
            .Select(f => Path.GetFileNameWithoutExtension(f));

        Assert.All(families, f => Assert.Contains(f, list, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        string solution = File.ReadAllText(Path.Combine(Root, "Orchestrator.sln"));

        Assert.All(
            Tracked().Where(f => f.EndsWith(".csproj", StringComparison.Ordinal)),
            f => Assert.Contains(f.Replace('/', '\\'), solution, StringComparison.Ordinal));
    }

    private static string[] Tracked()
    {
        using var git = Process.Start(new ProcessStartInfo("git", ["ls-files"]) { WorkingDirectory = Root, RedirectStandardOutput = true })!;
        string[] files = git.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        return [.. files.Where(f => File.Exists(Path.Combine(Root, f)))];
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("the repository's root was not found");
    }
}
