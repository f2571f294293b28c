using static TorchSharp.torch;

namespace Hearth.Torch;

/// <summary>
/// Work on a CUDA device that is recorded once and then done again with one call, which spares the host the launches. Tensors keep their
/// addresses: inputs are copied into the recorded ones, results are read from them.
/// </summary>
public sealed unsafe class CudaGraph : IDisposable
{
    private const int Begin = 0, End = 1, Again = 2, Free = 3;
    private readonly int _device;
    private nint _graph;

    /// <summary>Records what <paramref name="work"/> queues on a CUDA device, without doing it.</summary>
    /// <exception cref="TorchException">The work waits for the device, or does something else that no graph holds.</exception>
    public CudaGraph(Device device, Action work)
    {
        _device = device.index;
        nint graph = 0;
        Native.Check(Native.ht_cuda_graph(Begin, _device, &graph));
        _graph = graph;
        try
        {
            work();
        }
        catch
        {
            // The capture is broken: its end says so again, and the first words are the ones to show.
            _ = Native.ht_cuda_graph(End, _device, &graph);
            Dispose();
            throw;
        }

        if (Native.ht_cuda_graph(End, _device, &graph) is var code && code != 0)
        {
            var broken = new TorchException(Native.LastError());
            Dispose();
            throw broken;
        }
    }

    /// <summary>Does the recorded work once more.</summary>
    public void Replay()
    {
        nint graph = _graph;
        Native.Check(Native.ht_cuda_graph(Again, _device, &graph));
    }

    public void Dispose()
    {
        nint graph = _graph;
        if (graph != 0)
        {
            _graph = 0;
            _ = Native.ht_cuda_graph(Free, _device, &graph);
        }
    }
}
