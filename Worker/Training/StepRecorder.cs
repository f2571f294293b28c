using Hearth.Models;
using Hearth.Torch;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>
/// Runs forward and backward of a micro-batch. On CUDA, where the model allows it and the batch is one piece, the work is recorded once
/// and then replayed with one call: small batches are bound by the host's launches otherwise. The bits are the same either way.
/// </summary>
public sealed class StepRecorder(LanguageModel model) : IDisposable
{
    // Kernels are compiled, tables made and algorithms chosen before anything is recorded.
    private const int PlainRuns = 2;

    private string? _kind;
    private int _seen;
    private Recording? _recording;

    /// <summary>Why nothing is recorded any more; null while nothing failed.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Adds the gradients of a micro-batch to the parameters.</summary>
    /// <returns>Its losses, which the next call may overwrite.</returns>
    public LossResult Run(LossInput input)
    {
        if (Refusal is not null || HearthSeam.NaiveOnly || model.Device.index < 0 || input.Totals.MicroBatches != 1 || !model.CanRecord(input))
        {
            Forget();
            return Launch(input);
        }

        input = model.Prepare(input);
        string kind = $"{string.Join('x', input.Ids_BT.shape)} of {string.Join(' ', input.Totals.Counts)} by {string.Join(' ', model.TermsAt(input.Step).Select(t => t.Weight))}";
        if (kind != _kind)
        {
            Forget();
            _kind = kind;
        }

        if (_recording is null && ++_seen <= PlainRuns)
        {
            return Launch(input);
        }

        try
        {
            _recording ??= new Recording(model, input);
        }
        catch (TorchException e)
        {
            Refusal = e.Message.Split('\n')[0];
            model.zero_grad();
            return Launch(input);
        }

        return _recording.Replay(input);
    }

    /// <summary>As <see cref="Run"/>, never recorded.</summary>
    public LossResult Launch(LossInput input)
    {
        var loss = model.LossAlone(input);
        input.Tape.Backward(loss.Total);
        return loss;
    }

    public void Dispose() => Forget();

    private void Forget()
    {
        _recording?.Dispose();
        (_recording, _seen) = (null, 0);
    }

    /// <summary>The recorded work with its inputs, losses and gradients, which keep their places in memory.</summary>
    private sealed class Recording : IDisposable
    {
        private readonly (Tensor Parameter, Tensor? Grad)[] _grads;
        private readonly LossInput _input;
        private readonly CudaGraph _graph;
        private LossResult? _loss;

        internal Recording(LanguageModel model, LossInput input)
        {
            _input = input with
            {
                Ids_BT = Keep(input.Ids_BT.clone()),
                Labels_BT = Keep(input.Labels_BT.clone()),
                Extras = input.Extras.ToDictionary(e => e.Key, e => Keep(e.Value.clone()), StringComparer.Ordinal),
            };
            _graph = new CudaGraph(model.Device, () =>
            {
                using var scope = NewDisposeScope();
                var loss = model.LossAlone(_input);
                loss.Total.backward();
                _loss = new LossResult(Keep(loss.Total.detach()), [.. loss.Sums.Select(Keep)]);
            });
            _grads = [.. model.parameters().Select(p => (p, p.grad is { } grad ? Keep(grad) : null))];
        }

        internal LossResult Replay(LossInput input)
        {
            using var quiet = no_grad();
            _input.Ids_BT.copy_(input.Ids_BT);
            _input.Labels_BT.copy_(input.Labels_BT);
            foreach (var (name, value) in _input.Extras)
            {
                value.copy_(input.Extras[name]);
            }

            _graph.Replay();
            foreach (var (parameter, grad) in _grads)
            {
                parameter.grad = grad;
            }

            return _loss!;
        }

        public void Dispose()
        {
            Tensor?[] kept = [_input.Ids_BT, _input.Labels_BT, .. _input.Extras.Values, _loss?.Total, .. _loss?.Sums ?? [], .. _grads.Select(g => g.Grad)];
            foreach (var tensor in kept)
            {
                tensor?.Dispose();
            }

            _graph.Dispose();
        }

        private static Tensor Keep(Tensor tensor) => tensor.DetachFromDisposeScope();
    }
}
