using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Hearth.Cli.Testing;

/// <summary>
/// <c>test</c>: every suite, one after another, and a last line <c>N passed, N failed</c>. A suite that dies without a result
/// counts as one failure.
/// </summary>
internal static class TestCommand
{
    // Those whose bounds depend on how products and sums are rounded.
    private static readonly string[] NumericalSuites = ["Kernels.Tests", "Models.Tests"];

    public static Command Create()
    {
        var all = new Option<bool>("--all") { Description = "Slow suites too." };
        var gpu = new Option<bool>("--gpu") { Description = "Suites that need a GPU too." };
        var processors = new Option<bool>("--processors") { Description = "Only the numerical suites, under every instruction set that this machine can stand for." };
        var command = new Command("test", "Run the tests.") { all, gpu, processors };
        command.SetAction((parsed, stop) => parsed.GetValue(processors) ? ProcessorsAsync(stop) : RunAsync(parsed.GetValue(all), parsed.GetValue(gpu), stop));
        return command;
    }

    private static async Task<int> ProcessorsAsync(CancellationToken stop)
    {
        string results = FreshResults();
        var total = default(Tally);
        foreach (var set in InstructionSets.Here())
        {
            total += await UnderAsync(set, NumericalSuites, results, stop);
        }

        return Close(total);
    }

    private static async Task<int> RunAsync(bool all, bool gpu, CancellationToken stop)
    {
        string results = FreshResults();
        string[] filters = [.. all ? [] : new[] { "Category!=Slow" }, .. gpu ? [] : new[] { "Category!=Gpu" }];
        var total = default(Tally);
        foreach (string project in Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests"), "*.Tests.csproj", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            total += await DotnetAsync(project, results, string.Join('&', filters), null, stop);
        }

        // The models' second time takes a tenth of all minutes, and what differs between processors begins in the kernels.
        total += await UnderAsync(InstructionSets.Other(), all ? NumericalSuites : NumericalSuites[..1], results, stop);

        if (File.Exists(Path.Combine(Repository.Root, "Dashboard", "package.json")))
        {
            total += await DashboardAsync(results, stop);
        }

        if (gpu)
        {
            total += await DeviceAsync(stop);
        }

        return Close(total);
    }

    private static string FreshResults()
    {
        string results = Path.Combine(Repository.Root, ".build", "tests");
        if (Directory.Exists(results))
        {
            Directory.Delete(results, recursive: true);
        }

        return results;
    }

    private static int Close(Tally total)
    {
        Console.WriteLine(total.Skipped > 0 ? $"{total.Passed} passed, {total.Failed} failed, {total.Skipped} skipped" : $"{total.Passed} passed, {total.Failed} failed");
        return total.Failed == 0 && total.Passed > 0 ? 0 : 1;
    }

    private static async Task<Tally> UnderAsync(InstructionSet set, string[] suites, string results, CancellationToken stop)
    {
        var total = default(Tally);
        foreach (string suite in suites)
        {
            string project = Path.Combine(Repository.Root, "tests", suite, suite + ".csproj");
            total += await DotnetAsync(project, results, "Category!=Slow&Category!=Gpu", set, stop);
        }

        return total;
    }

    private static async Task<Tally> DotnetAsync(string project, string results, string filter, InstructionSet? under, CancellationToken stop)
    {
        string name = Path.GetFileNameWithoutExtension(project) + (under is null ? "" : $" {under.Name}");
        string trx = Path.Combine(results, name + ".trx");
        string[] arguments = ["test", project, "-c", Repository.Configuration, "--no-build", "--nologo", "--results-directory", results, "--logger", $"trx;LogFileName={name}.trx"];
        var (code, output, seconds) = await CaptureAsync("dotnet", filter.Length > 0 ? [.. arguments, "--filter", filter] : arguments, Repository.Root, stop, under?.Environment);
        return Report(name, code, output, seconds, File.Exists(trx) ? ReadTrx(trx) : default);
    }

    // The trainer's own check of a card closes with the same words as this command.
    private static async Task<Tally> DeviceAsync(CancellationToken stop)
    {
        var (code, output, seconds) = await CaptureAsync("dotnet", [Repository.Trainer, "selftest", "--device", "cuda:0", "--cases", Path.Combine(Repository.Root, "tests", "Models.Tests", "cases")], Repository.Root, stop);
        var last = Regex.Match(output, @"(?m)^(\d+) passed, (\d+) failed$", RegexOptions.RightToLeft);
        int Number(int group) => last.Success ? int.Parse(last.Groups[group].Value, CultureInfo.InvariantCulture) : 0;
        return Report("Device cuda:0", code, output, seconds, new Tally(Number(1), Number(2), 0));
    }

    private static async Task<Tally> DashboardAsync(string results, CancellationToken stop)
    {
        string folder = Path.Combine(Repository.Root, "Dashboard");
        var types = await CaptureAsync("npx", ["tsc", "--noEmit"], folder, stop);
        if (types.Code != 0)
        {
            return Report("Dashboard", types.Code, types.Output, types.Seconds, default);
        }

        string junit = Path.Combine(results, "dashboard.xml");
        var (code, output, seconds) = await CaptureAsync("npx", ["vitest", "run", "--reporter=junit", $"--outputFile={junit}"], folder, stop);
        return Report("Dashboard", code, output, seconds, File.Exists(junit) ? ReadJUnit(junit) : default);
    }

    private static Tally Report(string name, int code, string output, double seconds, Tally tally)
    {
        if (code != 0 && tally.Failed == 0)
        {
            tally = tally with { Failed = 1 };
        }

        Console.WriteLine($"{name,-32} {tally.Passed,5} passed {tally.Failed,4} failed {seconds,7:0.0} s");
        if (tally.Failed > 0)
        {
            Console.WriteLine(output);
        }

        return tally;
    }

    private static Tally ReadTrx(string path)
    {
        var counters = XDocument.Load(path).Descendants().First(e => e.Name.LocalName == "Counters");
        int Count(string name) => (int)counters.Attribute(name)!;
        return new Tally(Count("passed"), Count("failed") + Count("error") + Count("timeout") + Count("aborted"), Count("total") - Count("executed"));
    }

    private static Tally ReadJUnit(string path)
    {
        var root = XDocument.Load(path).Root!;
        int failed = (int)root.Attribute("failures")! + (int)root.Attribute("errors")!;
        return new Tally((int)root.Attribute("tests")! - failed, failed, 0);
    }

    private static async Task<(int Code, string Output, double Seconds)> CaptureAsync(string program, string[] arguments, string folder, CancellationToken stop, IReadOnlyDictionary<string, string>? environment = null)
    {
        long began = Stopwatch.GetTimestamp();
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(stop);
        var errors = process.StandardError.ReadToEndAsync(stop);
        string text = await output + await errors;
        await process.WaitForExitAsync(stop);
        return (process.ExitCode, text, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private readonly record struct Tally(int Passed, int Failed, int Skipped)
    {
        public static Tally operator +(Tally a, Tally b) => new(a.Passed + b.Passed, a.Failed + b.Failed, a.Skipped + b.Skipped);
    }
}
