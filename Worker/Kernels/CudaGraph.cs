using System.Collections.Concurrent;
using Hearth.Kernels.Cuda;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>
/// Work on a CUDA device that is recorded once and then done again with one call, which spares the host the launches. Tensors keep their
/// addresses: inputs are copied into the recorded ones, results are read from them.
/// </summary>
public sealed class CudaGraph : IDisposable
{
    // What the driver takes when a recording is made ready to run, with room to spare: being refused there would end the process.
    private const long LeastFree = 128L << 20;

    // One stream of a device takes all its recordings: libtorch keeps workspaces of the products (65 MB) for each stream that a product ran on.
    private static readonly ConcurrentDictionary<int, nint> s_streams = new();

    private readonly int _device;
    private nint _graph;

    /// <summary>Records what <paramref name="work"/> queues on a CUDA device, without doing it.</summary>
    /// <exception cref="KernelException">
    /// Nothing can be recorded here, the work waits for the device or does something else that no recording holds, or too little memory is
    /// left. The device can be used as before.
    /// </exception>
    public CudaGraph(Device device, Action work)
    {
        if (Unavailable is { } reason)
        {
            throw new KernelException(reason);
        }

        _device = Math.Max(0, device.index);
        using var on = CudaDriver.On(_device);
        CudaDriver.Synchronize();

        // The recording keeps memory of its own: what plain launches left in the allocator would lie idle beside it.
        CudaAllocator.EmptyCache();
        nint before = TorchStreams.Current(_device), stream = s_streams.GetOrAdd(_device, TorchStreams.FromPool);
        if (stream == before || stream == 0 || CudaDriver.Capturing(stream) != CaptureStatus.None)
        {
            throw new KernelException("no stream is free to be recorded");
        }

        using var least = zeros([1], ScalarType.Float32, device);
        TorchStreams.MakeCurrent(_device, stream);
        try
        {
            _graph = TorchGraph.Create();
            TorchGraph.Begin(_graph);
            Record(stream, work, least);
        }
        finally
        {
            TorchStreams.MakeCurrent(_device, before);
        }
    }

    /// <summary>Why nothing can be recorded in this process; null where it can.</summary>
    public static string? Unavailable => TorchGraph.Missing;

    /// <summary>Does the recorded work once more.</summary>
    /// <exception cref="KernelException">Something failed on the device before.</exception>
    public void Replay()
    {
        ObjectDisposedException.ThrowIf(_graph == 0, this);
        using var on = CudaDriver.On(_device);
        CudaDriver.CheckStream(TorchStreams.Current(_device));
        TorchGraph.Replay(_graph);
    }

    public void Dispose()
    {
        if (_graph == 0)
        {
            return;
        }

        using var on = CudaDriver.On(_device);
        CudaDriver.Synchronize();
        TorchGraph.Destroy(_graph);
        _graph = 0;
    }

    private void Record(nint stream, Action work, Tensor least)
    {
        Exception? failure = null;
        try
        {
            work();
        }
        catch (Exception e)
        {
            failure = e;
        }

        if (failure is null && CudaDriver.Capturing(stream) != CaptureStatus.Active)
        {
            failure = new KernelException("the work waits for the device, or does something else that no recording holds");
        }

        if (failure is null && CudaDriver.Memory(_device).Free is var free && free < LeastFree)
        {
            failure = new KernelException($"{free >> 20} MiB of the device are left, too few to keep a recording: {LeastFree >> 20} MiB are needed");
        }

        if (failure is null)
        {
            TorchGraph.End(_graph);
            return;
        }

        // libtorch ends the process over a broken capture, and warns of one without work. The least work in its place lets it put its
        // allocator and generators back.
        CudaDriver.DropCapture(stream);
        CudaDriver.BeginCapture(stream);
        least.zero_();
        TorchGraph.End(_graph);
        TorchGraph.Destroy(_graph);
        _graph = 0;
        throw failure is KernelException ? failure : new KernelException($"the work failed while it was recorded: {failure.Message}", failure);
    }
}
