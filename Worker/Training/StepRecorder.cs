using Hearth.Models;
using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Training;

/// <summary>Records the work that an action queues and gives what does it again, together with what holds it.</summary>
public delegate (Action Replay, IDisposable Work) RecordWork(Action work);

/// <summary>
/// Runs forward and backward of a micro-batch. On CUDA, where the model allows it, the work is recorded once and then replayed with one
/// call: small batches are bound by the host's launches otherwise. The bits are the same either way.
/// </summary>
/// <param name="model">Whose passes are run; it lives longer than the recorder, and so do the tables that its work reads.</param>
/// <param name="record">Null = nothing is recorded.</param>
/// <param name="mark">Where a start that a recording ends is noted; null = nowhere.</param>
public sealed class StepRecorder(LanguageModel model, RecordWork? record, RecordingMark? mark = null) : IDisposable
{
    // Kernels are compiled, tables made and algorithms chosen before anything is recorded.
    private const int PlainRuns = 2;

    private RecordingKey? _key;
    private int _seen;
    private bool[] _learns = [];
    private RecordedPass? _recording;

    /// <summary>Of a model on a device: recorded where that is CUDA.</summary>
    public StepRecorder(LanguageModel model, RecordingMark? mark = null)
        : this(model, HowOn(model.Device), mark)
    {
    }

    /// <summary>Why nothing is recorded any more; null while nothing failed.</summary>
    public string? Refusal { get; private set; } = record is null ? null : mark?.Reason;

    /// <summary>Adds the gradients of a micro-batch to the parameters.</summary>
    /// <returns>Its losses, which the next call may overwrite.</returns>
    public LossResult Run(LossInput input)
    {
        if (record is null || Refusal is not null || FusedKernels.NaiveOnly || !QueuesEqualWork(model.Plan, input))
        {
            Forget();
            return Launch(input);
        }

        var key = RecordingKey.Of(input);
        if (_key is not null && key.IsRestOf(_key))
        {
            return Launch(input);
        }

        if (key != _key)
        {
            Forget();
            _key = key;
        }

        if (_recording is not null)
        {
            return _recording.Replay(input);
        }

        if (_seen == PlainRuns)
        {
            return Record(input);
        }

        _seen++;
        var loss = Launch(input);
        _learns = [.. model.Parameters.Select(p => p.grad is not null)];
        return loss;
    }

    /// <summary>As <see cref="Run"/>, never recorded.</summary>
    public LossResult Launch(LossInput input)
    {
        var loss = model.LossAlone(input);
        input.Tape.Backward(loss.Total);
        return loss;
    }

    public void Dispose() => Forget();

    /// <summary>
    /// Whether a recording of such a micro-batch serves every other of an equal <see cref="RecordingKey"/>: nothing of it is decided by
    /// what the data holds. Inputs beside the ids are read on the host; without choices the host's part is not in the key.
    /// </summary>
    private static bool QueuesEqualWork(ModelPlan plan, LossInput input) => !plan.DataDependent && input.Choices is not null && input.Extras.Count == 0;

    /// <summary>As a CUDA graph on a card; null elsewhere.</summary>
    public static RecordWork? HowOn(Device device) => device.index < 0 ? null : work =>
    {
        var graph = new CudaGraph(device, work);
        return (graph.Replay, graph);
    };

    // A recording that ends the process, or breaks the device for good, leaves the mark to the next start.
    private LossResult Record(LossInput input)
    {
        try
        {
            var loss = TryRecord(input) ? _recording!.Replay(input) : Launch(input);
            if (model.Device.index >= 0)
            {
                cuda.synchronize(model.Device);
            }

            mark?.Clear();
            return loss;
        }
        catch (Exception e) when (Failures.IsOutOfMemory(e))
        {
            mark?.Clear();
            throw;
        }
    }

    // Memory that runs out is the caller's: fewer rows may fit. Anything else ends the recording of this run, not the run.
    private bool TryRecord(LossInput input)
    {
        try
        {
            mark?.Set();
            _recording = new RecordedPass(model, input, _learns, record!);
            return true;
        }
        catch (Exception e) when (!Failures.IsOutOfMemory(e))
        {
            Refusal = e.Message.Split('\n')[0];
            return false;
        }
    }

    private void Forget()
    {
        _recording?.Dispose();
        (_recording, _seen, _key) = (null, 0, null);
    }
}
