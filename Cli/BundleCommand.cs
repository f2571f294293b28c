using System.CommandLine;
using System.Diagnostics;
using System.IO.Compression;

namespace Hearth.Cli;

/// <summary><c>bundle</c>: packs agent and trainer with their own .NET, for a machine that has nothing but a driver and python3's torch.</summary>
internal static class BundleCommand
{
    private const string Linux = "linux-x64";
    private const string Windows = "win-x64";

    public static Command Create()
    {
        var output = new Option<string>("--out") { Description = "Folder to write hearth-worker-RUNTIME.tar.xz (or .zip) into.", DefaultValueFactory = _ => Path.Combine(Repository.Root, ".build", "bundle") }.NotEmpty("the path of a folder");
        var runtime = new Option<string>("--runtime") { Description = $"{Linux} or {Windows}.", DefaultValueFactory = _ => Linux };
        runtime.AcceptOnlyFromAmong(Linux, Windows);
        var libtorch = new Option<bool>("--with-libtorch") { Description = $"Pack the CPU's libtorch too ({Linux}): for machines without a GPU and without python3's torch." };
        var command = new Command("bundle", "Pack a worker for a machine without the .NET SDK.") { output, runtime, libtorch };
        command.Validators.Add(parsed =>
        {
            if (parsed.GetValue(libtorch) && parsed.GetValue(runtime) == Windows)
            {
                parsed.AddError($"--with-libtorch is for {Linux}. On Windows the worker computes with the torch of python, or with the folder that HEARTH_LIBTORCH names.");
            }
        });
        command.SetAction((parsed, stop) => PackAsync(Path.GetFullPath(parsed.GetRequiredValue(output)), parsed.GetRequiredValue(runtime), parsed.GetValue(libtorch), stop));
        return command;
    }

    private static async Task<int> PackAsync(string output, string runtime, bool withLibtorch, CancellationToken stop)
    {
        string folder = Path.Combine(output, "hearth-worker");
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        string project = Path.Combine(Repository.Root, "Worker", "Standalone");
        string[] publish = ["publish", project, "-c", "Release", "-r", runtime, "-o", folder, "-p:DebugType=none", $"-p:HearthBundledLibtorch={(withLibtorch ? "true" : "false")}", "-nologo", "-v", "q"];
        string archive = Path.Combine(output, $"hearth-worker-{runtime}{(withLibtorch ? "-libtorch" : "")}{(runtime == Windows ? ".zip" : ".tar.xz")}");
        File.Delete(archive);
        int code = await RunAsync("dotnet", publish, stop);
        if (code == 0 && runtime == Windows)
        {
            await ZipFile.CreateFromDirectoryAsync(folder, archive, CompressionLevel.SmallestSize, includeBaseDirectory: true, stop);
        }
        else if (code == 0)
        {
            code = await RunAsync("tar", ["-C", output, "--sort=name", "--owner=0", "--group=0", "-I", "xz -T0", "-cf", archive, "hearth-worker"], stop);
        }

        if (code == 0)
        {
            Directory.Delete(folder, recursive: true);
            Console.WriteLine($"{archive} ({new FileInfo(archive).Length / 1e6:0} MB)");
        }

        return code;
    }

    private static async Task<int> RunAsync(string program, string[] arguments, CancellationToken stop)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments))!;
        await process.WaitForExitAsync(stop);
        return process.ExitCode;
    }
}
