using static TorchSharp.torch;

namespace Hearth.Kernels;

public sealed class CudaGraph : IDisposable
{
    public CudaGraph(Device device, Action work) => throw new KernelException($"Nothing is recorded on {device} yet.");

    public void Replay() => throw new NotSupportedException();

    public void Dispose()
    {
    }
}
