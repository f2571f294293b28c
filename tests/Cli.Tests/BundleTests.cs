using System.Diagnostics;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Xunit;

namespace Hearth.Tests;

/// <summary>What <c>hearth bundle</c> packs: published for each runtime, complete, and at work where this machine can run it.</summary>
[Trait("Category", "Slow")]
public sealed class BundleTests
{
    private const string Spec = """
        {"name":"x","model":{"family":"qovaryx","size":"nano"},"data":{"dataset":"d","seq_len":64},"train":{"steps":4,"batch_tokens":256},"optimizer":{"warmup_steps":2}}
        """;

    [Fact]
    public async Task The_Windows_worker_has_every_file_that_its_programs_name()
    {
        using var folder = new TempFolder();
        await PublishAsync("win-x64", folder.Path);

        AssertComplete(folder.Path, ["hearth-worker.exe", "coreclr.dll", "clrjit.dll", "hostfxr.dll", "hostpolicy.dll", "libtorch/LibTorchSharp.dll"]);
    }

    [Fact]
    public async Task The_Linux_worker_is_complete_and_trains_over_the_libtorch_that_is_named()
    {
        using var folder = new TempFolder();
        await PublishAsync("linux-x64", folder.Path);
        AssertComplete(folder.Path, ["hearth-worker", "libcoreclr.so", "libclrjit.so", "libhostfxr.so", "libhostpolicy.so", "libtorch/libLibTorchSharp.so"]);

        using var work = new TempFolder();
        string data = Directory.CreateDirectory(Path.Combine(work.Path, "data")).FullName;
        for (int i = 0; i < 20; i++)
        {
            await File.WriteAllTextAsync(Path.Combine(data, $"{i}.txt"), string.Join(' ', Enumerable.Range(i, 400)));
        }

        var probe = await RunAsync(Path.Combine(folder.Path, "hearth-worker"), ["probe"]);
        var train = await RunAsync(Path.Combine(folder.Path, "hearth-worker"), ["trainer", "train", "--spec", work.File("run.json", Spec), "--data", data, "--out", Path.Combine(work.Path, "out"), "--device", "cpu"]);

        Assert.True(probe.Code == 0 && probe.Output.Contains("\"devices\"", StringComparison.Ordinal), probe.Output);
        Assert.True(train.Code == 0, train.Output);
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(work.Path, "out"), "*.safetensors", SearchOption.AllDirectories));
    }

    // Every assembly that an assembly names is there, and so is what the runtime's host looks for.
    private static void AssertComplete(string folder, string[] files)
    {
        Assert.All(files.Concat(["hearth-agent.dll", "hearth-trainer.dll", "Hearth.Kernels.dll", "TorchSharp.dll"]), f => Assert.True(File.Exists(Path.Combine(folder, f)), f));
        var missing = new List<string>();
        foreach (string file in Directory.GetFiles(folder, "*.dll"))
        {
            using var image = new PEReader(File.OpenRead(file));
            if (!image.HasMetadata)
            {
                continue;
            }

            var metadata = image.GetMetadataReader();
            missing.AddRange(metadata.AssemblyReferences
                .Select(r => metadata.GetString(metadata.GetAssemblyReference(r).Name))
                .Where(name => !File.Exists(Path.Combine(folder, name + ".dll")))
                .Select(name => $"{Path.GetFileName(file)} names {name}"));
        }

        Assert.Empty(missing);
    }

    private static async Task PublishAsync(string runtime, string folder)
    {
        var (code, output) = await RunAsync("dotnet", ["publish", Path.Combine(Cli.Repository.Root, "Worker", "Standalone"), "-c", "Release", "-r", runtime, "-o", folder, "-p:DebugType=none", "-nologo", "-v", "q"]);
        Assert.True(code == 0, output);
    }

    private static async Task<(int Code, string Output)> RunAsync(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["HEARTH_LIBTORCH"] = Path.Combine(
            Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages"),
            "libtorch-cpu-linux-x64", "2.10.0", "runtimes", "linux-x64", "native");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + errors);
    }
}
