using System.Globalization;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Datasets;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Data;
using Hearth.Models;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Runs.Requests;

/// <summary>A spec that may be queued, or every error in it; and where it would fit.</summary>
/// <param name="Spec">Null where there is an error.</param>
/// <param name="Plan">Of its model; null where that is wrong.</param>
/// <param name="Errors">All of them.</param>
/// <param name="Fits">Where it would fit.</param>
/// <param name="StartCheckpoint">The checkpoint that it begins with; null = with random weights.</param>
public sealed record Checked(RunSpec? Spec, ModelPlan? Plan, IReadOnlyList<FieldError> Errors, IReadOnlyList<DeviceFit> Fits, Guid? StartCheckpoint = null);

/// <summary>Every check of a submitted run: the spec alone, the dataset, the checkpoint that it begins with, and whether any device of the pool could ever hold one row.</summary>
public sealed class RunSubmission(NpgsqlDataSource database, DatasetStore datasets, PoolDevices pool, RunStarts starts)
{
    private const int MostNames = 10;

    public async Task<Checked> CheckAsync(JsonElement json, CancellationToken stop)
    {
        var run = RunChecks.Validate(json);
        if (run.Read.Readable is not { } readable)
        {
            return new Checked(null, run.Plan, run.Errors, []);
        }

        var errors = run.Errors.ToList();
        if (run.Read.Says("data.dataset") && await DatasetAsync(run.Read, stop) is { } unusable)
        {
            errors.Add(unusable);
        }

        var start = run.Read.Says("start_from") && readable.StartFrom.Length > 0 ? await starts.FindAsync(run.Read, run.Plan, errors, stop) : null;
        var devices = await pool.ReadAsync(stop);
        if (run.Spec is not { } spec || run.Plan is not { } plan)
        {
            // What the run needs cannot be told yet, but whether there is the device that it names.
            return new Checked(null, run.Plan, run.Read.Says("run.devices") && NoDevice(readable, devices) is { } none ? [.. errors, none] : errors, []);
        }

        // Named for good: another run under the same spec begins with the same checkpoint.
        spec = start is null ? spec : spec with { StartFrom = start.Name, Data = spec.Data with { Tokenizer = start.Tokenizer } };
        var forecast = new RunForecast(plan, spec);
        if (Place(spec, plan, forecast, devices) is { } nowhere)
        {
            errors.Add(nowhere);
        }

        return new Checked(errors.Count == 0 ? spec : null, plan, errors, Fits(spec, forecast, devices, await PeaksAsync(spec, stop)), start?.CheckpointId);
    }

    /// <summary>How the run would stand on each device of the pool.</summary>
    internal static IReadOnlyList<DeviceFit> Fits(RunSpec spec, RunForecast forecast, IReadOnlyList<PoolDevice> devices, ReportedPeaks peaks) =>
    [
        .. devices.Select(d =>
        {
            var fit = forecast.On(d.MemoryBytes, d.Kind, peaks.On(d.Class));
            string reason = !DeviceSelector.Allows(spec.Run.Devices, d) ? $"Left out: run.devices is {spec.Run.Devices}."
                : !fit.Fits ? fit.Reason
                : !d.Online ? "Would fit; not reachable now."
                : d.Draining ? "Would fit; it is being drained."
                : "";
            return new DeviceFit(d.Name, d.Model, reason.Length == 0, fit.NeededBytes, d.MemoryBytes, fit.MicroBatch, fit.Accumulation, reason);
        }),
    ];

    /// <summary>The error of a run that no known device could ever hold. An empty pool takes every run: workers may come.</summary>
    internal static FieldError? Place(RunSpec spec, ModelPlan plan, RunForecast forecast, IReadOnlyList<PoolDevice> devices)
    {
        var allowed = devices.Where(d => DeviceSelector.Allows(spec.Run.Devices, d)).ToList();
        if (allowed.Count == 0)
        {
            return NoDevice(spec, devices);
        }

        if (allowed.Any(d => forecast.On(d.MemoryBytes, d.Kind).Fits))
        {
            return null;
        }

        var largest = allowed.MaxBy(d => d.MemoryBytes)!;
        string room = (largest.MemoryBytes / (double)(1L << 30)).ToString("0.0", CultureInfo.InvariantCulture);
        return new FieldError(
            "model.size",
            spec.Model.Size,
            $"what {largest.Name} with its {room} GB can hold",
            $"{plan.Title} fits no device that it may use. {largest.Name}: {forecast.On(largest.MemoryBytes, largest.Kind).Reason}");
    }

    private async Task<FieldError?> DatasetAsync(RunSpecResult read, CancellationToken stop)
    {
        string name = read.Readable!.Data.Dataset;
        if (await datasets.FindAsync(name, stop) is { } dataset)
        {
            return read.Says("task") ? WrongKind(read.Readable.Task, dataset) : null;
        }

        var names = (await datasets.ListAsync(stop)).Select(d => d.Name).ToList();
        string allowed = names.Count == 0 ? "a dataset of the pool, which has none yet" : string.Join(", ", names.Take(MostNames)) + (names.Count > MostNames ? ", …" : "");
        return new FieldError("data.dataset", name, allowed, $"No dataset is called {name}. Allowed: {allowed}.");
    }

    private static FieldError? WrongKind(string task, Dataset dataset)
    {
        bool chat = dataset.Kind == DatasetKinds.Chat;
        string allowed = chat ? "a dataset of texts, or task sft" : "a dataset of conversations, or task pretrain";
        return (task == RunTasks.Sft) == chat ? null
            : new FieldError("data.dataset", dataset.Name, allowed, $"The documents of {dataset.Name} are {(chat ? "conversations" : "texts")}, and task is {task}. Allowed: {allowed}.");
    }

    private async Task<ReportedPeaks> PeaksAsync(RunSpec spec, CancellationToken stop)
    {
        string kind = ForecastKind.OfPeaks(spec);
        await using var session = await DbSession.OpenAsync(database, stop);
        return (await MemoryPeaks.ReadAsync(session, [kind])).GetValueOrDefault(kind, ReportedPeaks.None);
    }

    // An empty pool has every device yet to come.
    private static FieldError? NoDevice(RunSpec spec, IReadOnlyList<PoolDevice> devices)
    {
        if (devices.Count == 0 || devices.Any(d => DeviceSelector.Allows(spec.Run.Devices, d)))
        {
            return null;
        }

        string names = $"any, gpu, cpu, {string.Join(", ", devices.Select(d => d.Name))}";
        return new FieldError("run.devices", spec.Run.Devices, names, $"run.devices is {spec.Run.Devices}, and the pool has no such device. Allowed: {names}.");
    }
}
