using System.Diagnostics;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Cli.Pool;

/// <summary>The same run by one trainer from its first step to its last, without any pool: what a resumed run must equal.</summary>
internal static class StraightRun
{
    /// <param name="spec">As the coordinator resolved it, its micro-batch set.</param>
    /// <param name="datasetPath">File or folder with the dataset's text.</param>
    /// <param name="preparedPath">Where prepared datasets are kept; the pool's own saves tokenising again.</param>
    /// <param name="device">Device of the attempt to be compared with.</param>
    /// <param name="threads">Compute threads; part of what makes a trace.</param>
    /// <param name="onEvent">Called with each of the trainer's events.</param>
    /// <param name="stop">Kills the trainer.</param>
    /// <returns>The trainer's last word, with the trace.</returns>
    /// <exception cref="CliException">The trainer failed; its own words.</exception>
    public static async Task<DoneEvent> RunAsync(RunSpec spec, string datasetPath, string preparedPath, string device, int threads, Action<TrainerEvent> onEvent, CancellationToken stop)
    {
        string work = Directory.CreateTempSubdirectory("hearth-straight-").FullName;
        try
        {
            var job = new TrainerJob { Spec = spec, DatasetPath = datasetPath, CachePath = preparedPath, WorkPath = work, Device = device, Threads = threads };
            string file = Path.Combine(work, "job.json");
            await File.WriteAllTextAsync(file, JsonSerializer.Serialize(job, Json.Pretty), stop);

            // Its standard input stays open: the end of it means that whoever started the trainer is gone.
            var start = new ProcessStartInfo("dotnet", [Repository.Trainer, "run", "--job", file])
            {
                RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            };
            using var process = Process.Start(start)!;
            await using var kill = stop.Register(() => process.Kill(entireProcessTree: true));
            var errors = process.StandardError.ReadToEndAsync(stop);
            TrainerEvent? last = null;
            while (await process.StandardOutput.ReadLineAsync(stop) is { } line)
            {
                last = JsonSerializer.Deserialize<TrainerEvent>(line, Json.Wire)!;
                onEvent(last);
            }

            await process.WaitForExitAsync(stop);
            return last as DoneEvent ?? throw new CliException($"The straight run ended with code {process.ExitCode}: {(last as FailedEvent)?.Message ?? await errors}");
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }
}
