using System.Diagnostics;
using System.Text.RegularExpressions;
using System.Text.Json;
using System.Xml.Linq;
using Xunit;
using static Hearth.Tests.Repository;

namespace Hearth.Tests;

/// <summary>The rules of ARCHITECTURE.md and CONTRIBUTING.md that a machine can check.</summary>
public sealed class StructureTests
{
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Shared"] = [],
        ["Kernels"] = [],
        ["Models"] = ["Kernels", "Shared"],
        ["Tokenizers"] = ["Shared"],
        ["Training"] = ["Models", "Tokenizers", "Kernels", "Shared"],
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
    public void Only_the_coordinators_cluster_knows_of_orleans()
    {
        var users = Tracked().Where(f => f.EndsWith(".cs", StringComparison.Ordinal) && !f.StartsWith("Coordinator/Cluster/", StringComparison.Ordinal) && !f.StartsWith("tests/", StringComparison.Ordinal))
            .Where(f => File.ReadLines(Path.Combine(Root, f)).Any(l => l.StartsWith("using Orleans", StringComparison.Ordinal) || l.Contains("IGrainFactory", StringComparison.Ordinal)));
        var projects = Tracked().Where(f => f.EndsWith(".csproj", StringComparison.Ordinal) && File.ReadAllText(Path.Combine(Root, f)).Contains("Microsoft.Orleans", StringComparison.Ordinal));

        Assert.Empty(users);
        Assert.Equal(["Coordinator/Coordinator.csproj"], projects);
    }

    [Fact]
    public void Only_the_coordinators_jobs_know_of_hangfire()
    {
        var users = Tracked().Where(f => f.EndsWith(".cs", StringComparison.Ordinal) && !f.StartsWith("Coordinator/Jobs/", StringComparison.Ordinal) && !f.StartsWith("tests/", StringComparison.Ordinal))
            .Where(f => File.ReadLines(Path.Combine(Root, f)).Any(l => l.StartsWith("using Hangfire", StringComparison.Ordinal)));
        var projects = Tracked().Where(f => f.EndsWith(".csproj", StringComparison.Ordinal) && File.ReadAllText(Path.Combine(Root, f)).Contains("Hangfire", StringComparison.Ordinal));

        Assert.Empty(users);
        Assert.Equal(["Coordinator/Coordinator.csproj"], projects);
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
    public void Caches_are_named_by_decoding_alone_never_by_a_forward_pass()
    {
        var forward = Tracked().Where(f => f.StartsWith("Worker/Models/", StringComparison.Ordinal) && f.EndsWith(".cs", StringComparison.Ordinal))
            .Where(f => !f.StartsWith("Worker/Models/Decoding/", StringComparison.Ordinal) && !f.EndsWith("Session.cs", StringComparison.Ordinal));

        Assert.All(forward, f => Assert.DoesNotMatch("DecodeCache|RowCache|KvCache", File.ReadAllText(Path.Combine(Root, f))));
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        string solution = File.ReadAllText(Path.Combine(Root, "Orchestrator.sln"));

        Assert.All(
            Tracked().Where(f => f.EndsWith(".csproj", StringComparison.Ordinal)),
            f => Assert.Contains(f.Replace('/', '\\'), solution, StringComparison.Ordinal));
    }

    [Fact]
    public void With_HearthTorch_cuda_the_kernels_reference_TorchSharps_cuda_package_and_nothing_else_differs()
    {
        const string Kernels = "Worker/Kernels/Kernels.csproj";
        string[] plain = Packages(Kernels), cuda = Packages(Kernels, "-p:HearthTorch=cuda");

        Assert.Equal(["libtorch-cpu-linux-x64"], plain.Except(cuda));
        Assert.Equal([OperatingSystem.IsWindows() ? "TorchSharp-cuda-windows" : "TorchSharp-cuda-linux"], cuda.Except(plain));
        Assert.Equal([Kernels], Tracked().Where(f => f.EndsWith(".csproj", StringComparison.Ordinal) && File.ReadAllText(Path.Combine(Root, f)).Contains("HearthTorch", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_cuda_packages_of_both_systems_are_referenced_each_on_its_own_and_have_TorchSharps_version()
    {
        var references = XDocument.Load(Path.Combine(Root, "Worker/Kernels/Kernels.csproj")).Descendants("PackageReference")
            .Where(r => r.Parent!.Attribute("Condition")?.Value == "'$(HearthTorch)' == 'cuda'")
            .ToDictionary(r => r.Attribute("Include")!.Value, r => r.Attribute("Condition")!.Value, StringComparer.Ordinal);
        var versions = XDocument.Load(Path.Combine(Root, "Directory.Packages.props")).Descendants("PackageVersion")
            .ToDictionary(p => p.Attribute("Include")!.Value, p => p.Attribute("Version")!.Value, StringComparer.Ordinal);

        Assert.Equal(["TorchSharp-cuda-linux", "TorchSharp-cuda-windows"], references.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("$([MSBuild]::IsOSPlatform('Windows'))", references["TorchSharp-cuda-windows"]);
        Assert.Equal("!" + references["TorchSharp-cuda-windows"], references["TorchSharp-cuda-linux"]);
        Assert.All(references.Keys, name => Assert.Equal(versions["TorchSharp"], versions[name]));
    }

    // As MSBuild evaluates the project, without restoring anything.
    private static string[] Packages(string project, params string[] properties)
    {
        var start = new ProcessStartInfo("dotnet", ["msbuild", Path.Combine(Root, project), "-getItem:PackageReference", .. properties]) { WorkingDirectory = Root, RedirectStandardOutput = true };
        using var msbuild = Process.Start(start)!;
        string output = msbuild.StandardOutput.ReadToEnd();
        msbuild.WaitForExit();
        Assert.True(msbuild.ExitCode == 0, output);
        using var json = JsonDocument.Parse(output);
        return [.. json.RootElement.GetProperty("Items").GetProperty("PackageReference").EnumerateArray().Select(p => p.GetProperty("Identity").GetString()!)];
    }

    [Fact]
    public void Runs_and_attempts_are_written_in_their_own_folder_alone()
    {
        var others = Tracked().Where(f => f.StartsWith("Coordinator/", StringComparison.Ordinal) && f.EndsWith(".cs", StringComparison.Ordinal) && !Regex.IsMatch(f, "^Coordinator/Runs/(Bench/)?[^/]+$"));

        var writers = others.Where(f => Regex.IsMatch(File.ReadAllText(Path.Combine(Root, f)), @"\b(update|insert into|delete from)\s+(runs|attempts)\b"));

        Assert.Empty(writers);
    }

    [Fact]
    public void Statements_go_through_a_session_and_not_through_a_connection_that_is_handed_around()
    {
        // The migrator runs before there is anything else, and the listener keeps its connection.
        string[] own = ["Coordinator/Database/DbSession.cs", "Coordinator/Database/Migrator.cs", "Coordinator/Database/DatabaseSignals.cs"];
        var sources = Tracked().Where(f => f.StartsWith("Coordinator/", StringComparison.Ordinal) && f.EndsWith(".cs", StringComparison.Ordinal) && !own.Contains(f));

        var handed = sources.Where(f => Regex.IsMatch(File.ReadAllText(Path.Combine(Root, f)), @"\b(CommandDefinition|NpgsqlConnection|NpgsqlTransaction)\b"));

        Assert.Empty(handed);
    }

    [Fact]
    public void Times_of_the_machines_own_clock_are_not_told_from_times_of_the_pools()
    {
        // Certificates and addresses of foreign stores are checked by others, by their clocks; the database's clock reads its own machine's to tell the difference; a bench makes its points up.
        string[] own = ["Coordinator/Cluster/ClusterExtensions.cs", "Coordinator/Blobs/S3ObjectStore.cs", "Coordinator/Blobs/AzureObjectStore.cs", "Coordinator/Database/DatabaseClock.cs", "Coordinator/Metrics/Bench/MetricsBench.cs"];
        var sources = Tracked().Where(f => f.StartsWith("Coordinator/", StringComparison.Ordinal) && f.EndsWith(".cs", StringComparison.Ordinal) && !own.Contains(f));

        var readers = sources.Where(f => Regex.IsMatch(File.ReadAllText(Path.Combine(Root, f)), @"\b(DateTime|DateTimeOffset)\.(Utc)?Now\b"));
        var askers = sources.Where(f => File.ReadAllText(Path.Combine(Root, f)) is var text && text.Contains("GetUtcNow()", StringComparison.Ordinal) && !text.Contains("DatabaseClock clock", StringComparison.Ordinal));

        Assert.Empty(readers);
        Assert.Equal(["Coordinator/Blobs/AddressSigner.cs"], askers);
    }
}
