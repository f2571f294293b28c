using System.Globalization;
using Hearth.Hardware;

namespace Hearth.Coordinator.Generations;

/// <summary>A worker as placement sees it.</summary>
/// <param name="Id">Of the worker.</param>
/// <param name="Name">For people.</param>
/// <param name="Available">Reachable and not being drained.</param>
/// <param name="Cached">It wrote the checkpoint or has answered from it, so its cache has the files.</param>
/// <param name="HostFreeBytes">Memory of its host that nothing uses; null = unknown.</param>
/// <param name="HostLive">Requests that its processor answers beside training.</param>
/// <param name="HostWarm">Its processor has answered from the checkpoint lately.</param>
public sealed record ServingWorker(Guid Id, string Name, bool Available, bool Cached, long? HostFreeBytes, int HostLive, bool HostWarm, IReadOnlyList<ServingDevice> Devices);

/// <param name="Index">On its worker.</param>
/// <param name="Kind">What runs on it.</param>
/// <param name="MemoryBytes">Of the device.</param>
/// <param name="Training">A run holds it.</param>
/// <param name="Live">Requests that it answers.</param>
/// <param name="UsedBytes">What those of other checkpoints take.</param>
/// <param name="Warm">It has answered from the checkpoint lately, so the model may be loaded still.</param>
public sealed record ServingDevice(int Index, DeviceKind Kind, long MemoryBytes, bool Training, int Live, long UsedBytes, bool Warm);

/// <summary>What a request needs, in words and bytes.</summary>
public sealed record GenerationNeed(string Title, long Bytes);

public abstract record GenerationPlace
{
    /// <param name="WorkerId">Which worker.</param>
    /// <param name="DeviceIndex">Null = the host's processor, beside training.</param>
    /// <param name="Device">Its full name.</param>
    public sealed record On(Guid WorkerId, int? DeviceIndex, string Device) : GenerationPlace;

    /// <param name="Reason">One sentence.</param>
    public sealed record Nowhere(string Reason) : GenerationPlace;
}

/// <summary>
/// Where a request is answered. Pure. It never takes a device from a run: a free device first, a GPU before a processor, else the processor of a
/// reachable host beside what trains there. Among equals one with the model loaded, then one with the files, then the least asked.
/// </summary>
public static class GenerationPlacement
{
    /// <summary>Requests that one place takes at a time: it answers them one after the other.</summary>
    public const int MostPerPlace = 4;

    // As for training: what drivers and allocators keep to themselves is not a model's.
    private const double UsableShare = 0.92;

    public static GenerationPlace Decide(GenerationNeed need, IReadOnlyList<ServingWorker> workers)
    {
        var best = Candidates(need, workers)
            .Where(c => c.Live < MostPerPlace)
            .OrderByDescending(c => c.Warm)
            .ThenBy(c => c.Rank)
            .ThenByDescending(c => c.Worker.Cached)
            .ThenBy(c => c.Live)
            .ThenBy(c => c.MemoryBytes)
            .ThenBy(c => c.Name, StringComparer.Ordinal)
            .FirstOrDefault();
        return best is null ? new GenerationPlace.Nowhere(Why(need, workers)) : new GenerationPlace.On(best.Worker.Id, best.Index, best.Name);
    }

    // Rank 0: a free GPU, 1: a free processor, 2: a processor beside training.
    private static IEnumerable<Candidate> Candidates(GenerationNeed need, IReadOnlyList<ServingWorker> workers)
    {
        foreach (var worker in workers.Where(w => w.Available))
        {
            foreach (var device in worker.Devices.Where(d => !d.Training && need.Bytes + d.UsedBytes <= d.MemoryBytes * UsableShare))
            {
                yield return new Candidate(worker, device.Index, $"{worker.Name}/{device.Index}", device.Kind == DeviceKind.Cpu ? 1 : 0, device.MemoryBytes, device.Live, device.Warm);
            }

            if (need.Bytes <= worker.HostFreeBytes)
            {
                yield return new Candidate(worker, null, $"{worker.Name}/cpu", 2, worker.HostFreeBytes.Value, worker.HostLive, worker.HostWarm);
            }
        }
    }

    private static string Why(GenerationNeed need, IReadOnlyList<ServingWorker> workers)
    {
        if (workers.Count == 0)
        {
            return "No worker has joined the pool yet.";
        }

        var there = workers.Where(w => w.Available).ToList();
        if (there.Count == 0)
        {
            return "No worker can be asked now: each is away or being drained.";
        }

        if (Candidates(need, workers).Any())
        {
            return $"Every place that holds {need.Title} answers {MostPerPlace} requests already. Try again in a moment.";
        }

        var spare = there.MaxBy(w => w.HostFreeBytes ?? 0)!;
        string beside = spare.HostFreeBytes is { } bytes ? $"the most that a processor has to spare is {Gigabytes(bytes)}, on {spare.Name}" : "no worker tells how much its processor has to spare";
        return $"{need.Title} needs {Gigabytes(need.Bytes)} GB to answer: no free device has that, and {beside}.";
    }

    private static string Gigabytes(long bytes) => (bytes / (double)(1L << 30)).ToString("0.0", CultureInfo.InvariantCulture);

    private sealed record Candidate(ServingWorker Worker, int? Index, string Name, int Rank, long MemoryBytes, int Live, bool Warm);
}
