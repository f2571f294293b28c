using System.Text.Json;
using Hearth.Hardware;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>Turns an assignment into a work folder with <c>job.json</c>, bringing the blobs that it names.</summary>
public sealed class JobFiles(BlobStore blobs, string cachePath, int threads)
{
    private readonly BlobFolder _blobs = new(blobs);

    /// <param name="assignment">What to run.</param>
    /// <param name="device">Where.</param>
    /// <param name="work">The attempt's folder.</param>
    /// <param name="progress">Called with what is being fetched and a fraction of 0..1.</param>
    /// <param name="cancel">Ends the download; its part is kept for a later try.</param>
    /// <exception cref="CheckpointUnreadableException">A checkpoint's blob is not what it should be, or not there.</exception>
    /// <exception cref="CorruptBlobException">A dataset's blob is not.</exception>
    /// <exception cref="TransferException">The store refuses.</exception>
    public async Task BuildAsync(Assignment assignment, DeviceInfo device, string work, Action<string, double> progress, CancellationToken cancel)
    {
        string? resume = null, start = null, prepared = null, dataset = null;
        if (assignment.Checkpoint is { Count: > 0 } checkpoint)
        {
            try
            {
                resume = await _blobs.FetchAsync(checkpoint, Path.Combine(work, "resume"), f => progress("fetching the checkpoint", f), cancel);
            }
            catch (CorruptBlobException e)
            {
                throw new CheckpointUnreadableException(e.Message);
            }
        }

        if (assignment.Start is { Count: > 0 } begin)
        {
            start = await _blobs.FetchAsync(begin, Path.Combine(work, "start"), f => progress("fetching the checkpoint to start from", f), cancel);
        }

        if (assignment.Prepared is { Count: > 0 } files)
        {
            prepared = await _blobs.FetchAsync(files, Path.Combine(work, "prepared"), f => progress("fetching the prepared dataset", f), cancel);
        }
        else
        {
            dataset = await _blobs.FetchAsync(assignment.Dataset, Path.Combine(work, "dataset"), f => progress("fetching the dataset", f), cancel);
            dataset = assignment.Dataset.Count == 1 ? BlobFolder.Target(dataset, assignment.Dataset[0].Name) : dataset;
        }

        var job = new TrainerJob
        {
            Spec = assignment.Spec,
            DatasetPath = dataset,
            PreparedPath = prepared,
            CachePath = cachePath,
            WorkPath = work,
            ResumePath = resume,
            StartPath = start,
            Device = TorchDevice(device.Kind),
            MicroBatch = assignment.MicroBatch,
            Threads = threads,
            PauseAtStep = assignment.PauseAtStep,
        };
        await using var stream = File.Create(Path.Combine(work, "job.json"));
        await JsonSerializer.SerializeAsync(stream, job, Json.Pretty, cancel);
    }

    /// <summary>What a trainer calls a device of this kind: it sees no other.</summary>
    public static string TorchDevice(DeviceKind kind) => kind is DeviceKind.Cuda or DeviceKind.Rocm ? "cuda:0" : "cpu";

    /// <summary>The trainer sees its own card only, by identity: NVML's numbering need not be CUDA's.</summary>
    public static IReadOnlyDictionary<string, string> Environment(DeviceInfo device) => device.Kind switch
    {
        DeviceKind.Cuda => new Dictionary<string, string> { ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID", ["CUDA_VISIBLE_DEVICES"] = device.Uuid },
        DeviceKind.Rocm => new Dictionary<string, string> { ["HIP_VISIBLE_DEVICES"] = device.Index.ToString(System.Globalization.CultureInfo.InvariantCulture) },
        _ => new Dictionary<string, string> { ["CUDA_VISIBLE_DEVICES"] = "" },
    };
}

/// <summary>The checkpoint to go on from cannot be used here; the coordinator finds out why.</summary>
public sealed class CheckpointUnreadableException(string reason) : Exception(reason);
