using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Checkpoints;

/// <summary>
/// Copies of named tensors in host memory. The buffers are made once and used again for every snapshot, so a snapshot costs
/// one copy and no allocation.
/// </summary>
public sealed class HostTensors : IDisposable
{
    private readonly Dictionary<string, Tensor> _copies = new(StringComparer.Ordinal);

    /// <summary>The copies, in the order in which they were first taken.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _copies;

    /// <summary>Bytes held.</summary>
    public long Bytes => _copies.Values.Sum(t => t.NumberOfElements * t.ElementSize);

    public void Take(IEnumerable<(string Name, Tensor Tensor)> source)
    {
        using var noGrad = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        foreach (var (name, tensor) in source)
        {
            if (!_copies.TryGetValue(name, out var copy))
            {
                copy = torch.empty(tensor.shape, tensor.dtype, torch.CPU).DetachFromDisposeScope();
                _copies[name] = copy;
            }

            copy.copy_(tensor);
        }
    }

    public void Dispose()
    {
        foreach (var copy in _copies.Values)
        {
            copy.Dispose();
        }
    }
}
