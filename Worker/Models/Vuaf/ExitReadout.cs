using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, D model width, V vocabulary.
namespace Hearth.Models.Vuaf;

/// <summary>Decides step by step where each row of a batch stops, and reads its logits out there.</summary>
internal sealed class ExitReadout(VuafModel model, ExitOptions exit, int batch)
{
    private readonly int[] _steps = [.. Enumerable.Repeat(-1, batch)];
    private readonly Tensor?[] _logits = new Tensor?[batch];
    private readonly double[] _left = [.. Enumerable.Repeat(1.0, batch)];
    private readonly List<double>[] _halting = [.. Enumerable.Range(0, batch).Select(_ => new List<double>())];
    private int _step;

    /// <summary>True when every row has stopped.</summary>
    public bool Done => !_steps.Contains(-1);

    /// <summary>Zero-based.</summary>
    public int[] LoopSteps => _steps;

    /// <summary>Chance to stop after each step that ran for a row.</summary>
    public IReadOnlyList<IReadOnlyList<double>> Halting => _halting;

    /// <summary>Logits [B,V], once <see cref="Done"/>.</summary>
    public Tensor Logits() => stack([.. _logits.Select(row => row!)]);

    /// <summary>Takes the next step's normed last rows [B,D].</summary>
    public void Add(Tensor n_BD)
    {
        bool last = _step == model.LoopSteps - 1;
        double[] halt = last ? [] : model.HaltLogits(n_BD).sigmoid().HostArray<double>();
        Tensor? logits_BV = null;
        for (int b = 0; b < _steps.Length; b++)
        {
            if (_steps[b] < 0 && (last || Stops(b, halt[b])))
            {
                // The head is multiplied only at steps where a row stops.
                logits_BV ??= model.Head(n_BD);
                (_steps[b], _logits[b]) = (_step, logits_BV.select(0, b));
            }
        }

        _step++;
    }

    private bool Stops(int row, double halt)
    {
        _halting[row].Add(halt);
        _left[row] *= 1 - halt;

        // A saturated halt makes the mass exactly 1, which must not stop a run that asked never to stop early.
        return exit.Rule == ExitRule.Threshold ? halt >= exit.Threshold : exit.Threshold < 1 && 1 - _left[row] >= exit.Threshold;
    }
}
