using Hearth.Models;
using Hearth.Runs;
using static TorchSharp.torch;

namespace Hearth.Training.Optim;

/// <summary>
/// Moving average of all weights, <c>E ← dE + (1−d)W</c> after each step in the masters' precision, starting at the first
/// weights, so that no bias correction is needed (Polyak &amp; Juditsky 1992 with exponential weights). A mean of snapshots is the same
/// with another course of d (<see cref="Schedules.AverageDecay"/>).
/// </summary>
public sealed class Ema : IDisposable
{
    private readonly OptimizerSpec _spec;
    private readonly (string Name, Tensor Weight, Tensor Average)[] _pairs;

    public Ema(LanguageModel model, OptimizerSpec spec)
    {
        _spec = spec;
        using var quiet = no_grad();
        _pairs = [.. model.NamedParameters.Select(p => (p.Name, p.Value, p.Value.detach().clone().DetachFromDisposeScope()))];
    }

    /// <summary>The averages under the weights' names, in the model's order: what a checkpoint holds.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> State => [.. _pairs.Select(p => (p.Name, p.Average))];

    /// <param name="step">Updates before this one.</param>
    /// <param name="steps">Of the whole run.</param>
    public void Update(long step, long steps)
    {
        double decay = Schedules.AverageDecay(_spec, step, steps);
        if (decay == 1)
        {
            return;
        }

        using var quiet = no_grad();
        foreach (var (_, weight, average) in _pairs)
        {
            average.mul_(decay).add_(weight, 1 - decay);
        }
    }

    /// <summary>Until disposed, the model has the averages as its weights. Exchanges them one by one, bit for bit.</summary>
    public IDisposable Use()
    {
        Exchange();
        return new Back(this);
    }

    public void Dispose()
    {
        foreach (var (_, _, average) in _pairs)
        {
            average.Dispose();
        }
    }

    private void Exchange()
    {
        using var quiet = no_grad();
        foreach (var (_, weight, average) in _pairs)
        {
            using var kept = weight.detach().clone();
            weight.copy_(average);
            average.copy_(kept);
        }
    }

    private sealed class Back(Ema ema) : IDisposable
    {
        private bool _done;

        public void Dispose()
        {
            if (!_done)
            {
                _done = true;
                ema.Exchange();
            }
        }
    }
}
