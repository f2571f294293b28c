using Hearth.Kernels;
using Hearth.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>
/// One step's losses, summed over its micro-batches in order. They stay on the device until <see cref="Read"/>, so a step
/// waits for the device once.
/// </summary>
public sealed class LossSums : IDisposable
{
    private Tensor? _sums_K;
    private Tensor? _weights_K;

    /// <summary>Adds a micro-batch; call it inside the micro-batch's scope.</summary>
    public void Add(LossResult loss)
    {
        var sums_K = torch.stack([.. loss.Terms.Select(t => t.Sum)]).to(torch.float64);
        var next_K = (_sums_K is null ? sums_K : _sums_K + sums_K).DetachFromDisposeScope();
        _sums_K?.Dispose();
        _sums_K = next_K;

        // Of one step, so the same in each of its micro-batches.
        _weights_K ??= torch.stack([.. loss.Terms.Select(t => t.Weight)]).DetachFromDisposeScope();
    }

    /// <summary>Mean losses over the whole batch in nats: all weighted terms, and the next-token loss alone.</summary>
    /// <param name="totals">Counts of the whole batch.</param>
    public (double Total, double Main) Read(LossTotals totals)
    {
        using var scope = torch.NewDisposeScope();
        double[] read = torch.cat([_sums_K!, _weights_K!]).cpu().HostArray<double>();
        double[] sums = read[..(read.Length / 2)], weights = read[(read.Length / 2)..];
        double total = 0;
        for (int k = 0; k < sums.Length; k++)
        {
            total += weights[k] * sums[k] / Math.Max(1, totals.Counts[k]);
        }

        return (total, sums[0] / Math.Max(1, totals.Counts[0]));
    }

    public void Dispose()
    {
        _sums_K?.Dispose();
        _weights_K?.Dispose();
    }
}
