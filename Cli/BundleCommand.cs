using System.CommandLine;
using System.Diagnostics;

namespace Hearth.Cli;

/// <summary><c>bundle</c>: packs a worker for a GPU machine that has a driver, python3's torch and g++, but no .NET SDK.</summary>
internal static class BundleCommand
{
    public static Command Create()
    {
        var output = new Option<string>("--out") { Description = "Folder to write hearth-worker.tar.xz into.", DefaultValueFactory = _ => Path.Combine(Repository.Root, ".build", "bundle") };
        var command = new Command("bundle", "Pack a worker for a GPU machine without the .NET SDK.") { output };
        command.SetAction(async (parsed, stop) =>
        {
            using var process = Process.Start(new ProcessStartInfo("bash", [Path.Combine(Repository.Root, "infra/worker-bundle/make.sh"), Path.GetFullPath(parsed.GetRequiredValue(output))]))!;
            await process.WaitForExitAsync(stop);
            return process.ExitCode;
        });
        return command;
    }
}
