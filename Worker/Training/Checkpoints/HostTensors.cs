using Hearth.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Checkpoints;

/// <summary>
/// Copies of named tensors in host memory. The buffers are made once and used again for every snapshot, so a snapshot costs
/// one copy and no allocation.
/// </summary>
public sealed class HostTensors : IDisposable
{
    private readonly List<(string Name, Tensor Value)> _copies = [];

    /// <summary>Takes a copy of each tensor; names, shapes and order are the same at every call.</summary>
    /// <exception cref="InvalidOperationException">The names changed between two snapshots.</exception>
    public void Take(IEnumerable<(string Name, Tensor Value)> source)
    {
        using var noGrad = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        int i = 0;
        foreach (var (name, value) in source)
        {
            if (i == _copies.Count)
            {
                _copies.Add((name, torch.empty(value.shape, value.dtype, torch.CPU).DetachFromDisposeScope()));
            }

            if (_copies[i].Name != name)
            {
                throw new InvalidOperationException($"Tensor {i} of the snapshot was {_copies[i].Name} and is {name}.");
            }

            _copies[i++].Value.copy_(value);
        }
    }

    /// <summary>Streams the copies as safetensors, straight from their memory.</summary>
    public void Write(Stream stream) => SafetensorsWriter.Write(stream, _copies);

    public void Dispose()
    {
        foreach (var (_, value) in _copies)
        {
            value.Dispose();
        }
    }
}
