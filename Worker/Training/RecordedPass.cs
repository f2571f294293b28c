using Hearth.Models;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>
/// What a recording stands for. Micro-batches of equal keys queue equal work: the family's choices are all that its loss knows of the
/// step, and shapes, counts and recomputation are all else that the host reads of an input.
/// </summary>
/// <param name="Choices">The family's.</param>
/// <param name="Rows">B.</param>
/// <param name="Length">T.</param>
/// <param name="Shapes">Types and shapes of every tensor, by name.</param>
/// <param name="Totals">Counts of the whole batch.</param>
/// <param name="Recomputes">Whether blocks run again.</param>
internal sealed record RecordingKey(StepChoices? Choices, long Rows, long Length, string Shapes, string Totals, bool Recomputes)
{
    internal static RecordingKey Of(LossInput input) => new(
        input.Choices,
        input.Ids_BT.size(0),
        input.Ids_BT.size(1),
        string.Join(' ', (string[])[Shape("ids", input.Ids_BT), Shape("labels", input.Labels_BT), .. Named(input.Extras), .. Named(input.Made)]),
        string.Join(' ', [.. input.Totals.Counts.Select(count => (object)count), "of", input.Totals.MicroBatches, .. Sorted(input.Totals.Weights)]),
        input.Tape.Recomputes);

    /// <summary>Whether this is the last, shorter micro-batch of the batches that <paramref name="whole"/> cuts.</summary>
    internal bool IsRestOf(RecordingKey whole) => Rows < whole.Rows && (this with { Rows = whole.Rows, Shapes = whole.Shapes }) == whole;

    private static IEnumerable<string> Named(IReadOnlyDictionary<string, Tensor> tensors) =>
        tensors.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => Shape(t.Key, t.Value));

    private static IEnumerable<object> Sorted(IReadOnlyDictionary<string, double> weights) =>
        weights.OrderBy(w => w.Key, StringComparer.Ordinal).Select(w => (object)FormattableString.Invariant($"{w.Key}={w.Value:R}"));

    private static string Shape(string name, Tensor tensor) => $"{name}:{tensor.dtype}[{string.Join(',', tensor.shape)}]";
}

/// <summary>
/// The recorded work of a micro-batch with its inputs, losses and gradients, which keep their places in memory. Where a batch is one
/// piece the work writes the gradients; of several pieces each adds to them.
/// </summary>
internal sealed class RecordedPass : IDisposable
{
    private readonly LanguageModel _model;
    private readonly LossInput _input;
    private readonly bool _adds;
    private readonly Action _replay;
    private readonly IDisposable _work;
    private (Tensor Parameter, Tensor Grad)[] _grads = [];
    private LossResult? _loss;

    /// <param name="model">Whose pass is recorded.</param>
    /// <param name="input">One of the micro-batches that it serves; nothing of it is done yet.</param>
    /// <param name="learns">Which of the parameters such a micro-batch gives a gradient.</param>
    /// <param name="record">Records the work.</param>
    internal RecordedPass(LanguageModel model, LossInput input, bool[] learns, RecordWork record)
    {
        (_model, _adds) = (model, input.Totals.MicroBatches > 1);
        _input = input.Copy(Keep);
        Tensor?[] before = [.. model.Parameters.Select(p => p.grad)];
        try
        {
            if (_adds)
            {
                _grads = [.. model.Parameters.Zip(before, learns).Where(p => p.Third).Select(p => (p.First, Keep(p.Second ?? zeros(p.First.shape, p.First.dtype, p.First.device))))];
                GiveGrads();
            }

            (_replay, _work) = record(Pass);
        }
        catch
        {
            foreach (var (parameter, grad) in model.Parameters.Zip(before))
            {
                parameter.grad = grad;
            }

            Free();
            throw;
        }
    }

    /// <summary>Adds the gradients of a micro-batch to the parameters.</summary>
    /// <returns>Its losses, which the next call overwrites.</returns>
    internal LossResult Replay(LossInput input)
    {
        using (no_grad())
        {
            _input.Fill(input);
            foreach (var (parameter, grad) in _adds ? _grads : [])
            {
                // The first micro-batch of a step finds none; copying a gradient to itself does nothing.
                _ = parameter.grad is { } before ? grad.copy_(before) : grad.zero_();
            }
        }

        if (_adds)
        {
            GiveGrads();
        }

        _replay();
        if (!_adds)
        {
            GiveGrads();
        }

        return _loss!;
    }

    public void Dispose()
    {
        Free();
        _work.Dispose();
    }

    private void Pass()
    {
        using var scope = NewDisposeScope();
        var input = _input with { Tape = new BlockTape(_input.Tape.Recomputes) };
        var loss = _model.LossAlone(input);
        input.Tape.Backward(loss.Total);
        _loss = loss.Detached(Keep);
        if (!_adds)
        {
            _grads = [.. _model.Parameters.Where(p => p.grad is not null).Select(p => (p, Keep(p.grad!)))];
        }
    }

    private void GiveGrads()
    {
        foreach (var (parameter, grad) in _grads)
        {
            parameter.grad = grad;
        }
    }

    private void Free()
    {
        foreach (var tensor in _input.Tensors.Concat(_loss?.Tensors ?? []).Concat(_grads.Select(g => g.Grad)))
        {
            tensor.Dispose();
        }
    }

    private static Tensor Keep(Tensor tensor) => tensor.DetachFromDisposeScope();
}
