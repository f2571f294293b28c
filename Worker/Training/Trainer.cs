using System.Globalization;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Chat;
using Hearth.Training.Checkpoints;
using Hearth.Training.Optim;
using Hearth.Training.Protocol;
using TorchSharp;

namespace Hearth.Training;

/// <summary>
/// The loop. Flat on purpose: what happens every N steps is an <c>if</c> in <see cref="Run"/>, one optimizer step is
/// <see cref="Step"/>. Tensor names end in their shape: B rows of the micro-batch, T tokens of a row.
/// </summary>
public sealed class Trainer(TrainSession session, CheckpointWriter checkpoints, IEventSink sink, TrainerControl control, TimeProvider clock)
{
    // A batch may be at fault; so many in a row, and the weights are.
    private const int MostSkippedInARow = 10;

    // Pauses of 1 s, 2 s, 4 s … before the last checkpoint is tried again on a full disk: two minutes in all.
    private const int LastTries = 7;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    private readonly RunSpec _spec = session.Spec;
    private readonly long _began = clock.GetTimestamp();
    private bool _refused;

    /// <summary>Trains to the last step or to a stop; the last complete step is on disk when it returns.</summary>
    /// <returns>True when all steps are done, false when it was stopped.</returns>
    /// <exception cref="NotFiniteException">Loss or gradient was not finite in more steps in a row than are skipped.</exception>
    public bool Run(TrainState state)
    {
        int total = _spec.Train.Steps;
        while (true)
        {
            try
            {
                control.ThrowIfStopped();
                bool last = state.Step >= total;
                bool pauses = !last && state.Step >= session.Job.PauseAtStep;

                // Whoever waits for the run at this step compares it there.
                if (state.EvalStep < state.Step && Due(_spec.Eval.EverySteps, state.Step, last || pauses))
                {
                    state = Evaluate(state);
                }

                if (state.SampleStep < state.Step && Due(_spec.Sample.EverySteps, state.Step, last))
                {
                    Sample(state, _spec.Sample);
                    state = state with { SampleStep = state.Step };
                }

                if (control.TakeSampleRequest() is { } asked)
                {
                    Sample(state, Asked(asked));
                }

                bool saveAsked = control.TakeCheckpointRequest();
                if (checkpoints.Last?.Step != state.Step && state.Step > 0 && (saveAsked || Due(_spec.Checkpoint.EverySteps, state.Step, last: false)))
                {
                    Checkpoint(state);
                }

                if (last)
                {
                    return Finish(state);
                }

                if (pauses)
                {
                    control.Stop($"the run pauses at step {Words.Number(session.Job.PauseAtStep!.Value)}");
                    return Stop(state);
                }

                state = Step(state);
            }
            catch (OperationCanceledException) when (control.StopRequested)
            {
                return Stop(state);
            }
        }
    }

    private static bool Due(int every, long step, bool last) => every > 0 && step > 0 && (last || step % every == 0);

    private TrainState Step(TrainState state)
    {
        long began = clock.GetTimestamp();
        double factor = Schedules.Factor(_spec.Optimizer, state.Step, _spec.Train.Steps);
        double lr = _spec.Optimizer.Lr * factor;

        // Every random number of a step comes from (seed, step): nothing that runs between steps can shift it.
        Generators.Seed(SeedMix.Of(state.Seed, RandomStream.Step, state.Step));
        session.Optimizer.ClearGradients();
        using var sums = new LossSums();
        var shape = session.ShapeAt(state.Step);
        Announce(shape, state);
        var batch = session.Data.Batch(state.Step);
        var totals = session.Model.Count(batch) with { MicroBatches = shape.MicroBatches };
        bool quantize = state.Quantizing || (session.Plan.Quantizes && Schedules.StartsQuantizing(_spec.Optimizer, state.Step, _spec.Train.Steps));
        var at = new TrainingStep(state.Seed, state.Step, _spec.Train.Steps, factor, 0) { Quantize = quantize };
        for (int first = 0; first < shape.Rows; first += shape.MicroRows)
        {
            control.ThrowIfStopped();
            using var scope = torch.NewDisposeScope();
            int rows = Math.Min(shape.MicroRows, shape.Rows - first);
            var tape = new BlockTape(_spec.Train.Recompute == "block");
            var input = session.Input(batch, first, rows, totals) with { Tape = tape };
            sums.Add(session.Recorder.Run(session.Model.Prepare(input, at with { FirstRow = first })));
        }

        control.ThrowIfStopped();
        var (total, main) = sums.Read(totals);
        double norm = session.Optimizer.ClipGradNorm(_spec.Optimizer.GradClip);
        if (session.Recorder.Refusal is { } refusal && !_refused)
        {
            _refused = true;
            sink.Emit(new LogEvent(LogLevel.Warning, $"The step's work cannot be recorded, so that every kernel is launched by itself: {refusal}"));
        }

        bool finite = double.IsFinite(total) && double.IsFinite(norm);
        if (finite)
        {
            session.Optimizer.Step(factor);
            session.Average?.Update(state.Step, _spec.Train.Steps);
        }

        if (quantize && !state.Quantizing)
        {
            sink.Emit(new LogEvent(LogLevel.Info, $"Training with quantised weights from step {state.Step + 1} on."));
        }

        var next = After(state, shape, quantize, finite ? (total, main) : null);
        if (!finite)
        {
            SaySkipped(next, NotFinite(state, (total, main), norm, lr));
            return next;
        }

        double seconds = clock.GetElapsedTime(began).TotalSeconds;
        sink.Emit(new StepEvent(
            next.Step, main, lr, norm, _spec.Train.BatchTokens / Math.Max(seconds, 1e-9), seconds, next.Tokens, session.MemoryBytes(), next.Trace));
        return next;
    }

    private TrainState After(TrainState state, BatchShape shape, bool quantize, (double Total, double Main)? loss) => state with
    {
        Step = state.Step + 1,
        Stage = shape.Stage,
        Quantizing = quantize,
        Tokens = state.Tokens + _spec.Train.BatchTokens,
        Trace = TraceHash.Parse(state.Trace).Fold(loss?.Total ?? double.NaN).ToString(),
        LastLoss = loss?.Main ?? state.LastLoss,
        Skipped = loss is null ? state.Skipped + 1 : state.Skipped,
        SkippedInARow = loss is null ? state.SkippedInARow + 1 : 0,
    };

    private void Announce(BatchShape shape, TrainState state)
    {
        int stages = _spec.Train.LengthCurriculum.Stages.Count;
        if (stages > 0 && (state.Step == 0 || shape.Stage != state.Stage))
        {
            sink.Emit(new LogEvent(LogLevel.Info, string.Create(
                CultureInfo.InvariantCulture,
                $"Stage {shape.Stage + 1} of {stages} from step {state.Step + 1} on: {shape.Rows} rows of {shape.Length} tokens, {shape.MicroRows} at a time.")));
        }
    }

    // Fixed rows, no gradient, no random number: evaluating or not cannot change a later step.
    private TrainState Evaluate(TrainState state)
    {
        long began = clock.GetTimestamp();
        var means = session.Evaluate(control);
        state = state with { EvalStep = state.Step };
        if (means is not { Loss: var value })
        {
            return state;
        }

        sink.Emit(new EvalEvent(state.Step, value, clock.GetElapsedTime(began).TotalSeconds) { Terms = means.Beside() });
        bool best = state.BestEvalLoss is not { } before || value < before;
        return state with
        {
            EvalLoss = value,
            BestEvalStep = best ? state.Step : state.BestEvalStep,
            BestEvalLoss = best ? value : state.BestEvalLoss,
            Warned = Warn(state, means),
        };
    }

    private string Warn(TrainState state, ValidationMeans means)
    {
        string[] said = state.Warned.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var at = new TrainingStep(state.Seed, state.Step - 1, _spec.Train.Steps, 1, 0);
        List<Concern> fresh = [.. session.Model.Concerns(means.Terms, at).Where(c => !said.Contains(c.Key))];
        fresh.ForEach(concern => sink.Emit(new LogEvent(LogLevel.Warning, concern.Text)));
        return string.Join(' ', [.. said, .. fresh.Select(c => c.Key)]);
    }

    private void Sample(TrainState state, SampleSpec how)
    {
        long seed = SeedMix.Of(state.Seed, RandomStream.Sample, state.Step);
        using var averaged = session.Average?.Use();
        try
        {
            string text = Generation.Text(session.Model, session.Data.Tokenizer, session.Template, how, seed, control);
            sink.Emit(new SampleEvent(state.Step, how.Prompt, text));
        }
        catch (ChatException e)
        {
            // The run's own prompt was tried before its first step; this one was asked for since.
            sink.Emit(new LogEvent(LogLevel.Warning, $"There is no sample: {e.Message}"));
        }
    }

    private SampleSpec Asked(TrainerCommand command) => _spec.Sample with
    {
        Prompt = command.Prompt ?? _spec.Sample.Prompt,
        MaxTokens = Math.Clamp(command.MaxTokens ?? _spec.Sample.MaxTokens, 1, 4096),
        Temperature = Math.Clamp(command.Temperature ?? _spec.Sample.Temperature, 0, 10),
    };

    // The pause: waiting for the write before (there is one set of buffers) and copying the tensors to host memory.
    private void Checkpoint(TrainState state)
    {
        long began = clock.GetTimestamp();
        checkpoints.Wait();
        session.Snapshot();
        checkpoints.Begin(session.Content(state, clock.GetElapsedTime(began).TotalSeconds));
    }

    private bool Finish(TrainState state)
    {
        SaveNow(state);
        AwaitRoom(state);
        if (checkpoints.Last?.Step != state.Step)
        {
            throw new IOException($"All {state.Step} steps are done, but their checkpoint could not be written: {checkpoints.Failure?.Message}", checkpoints.Failure);
        }

        sink.Emit(new DoneEvent(state.Step, state.Trace, state.LastLoss, state.EvalLoss)
        {
            Skipped = state.Skipped,
            Seconds = clock.GetElapsedTime(_began).TotalSeconds,
            PeakMemoryBytes = DeviceFacts.PeakBytes(session.Device),
        });
        return true;
    }

    // A disk that is full now may have room in a moment, and every step is at stake.
    private void AwaitRoom(TrainState state)
    {
        for (int tries = 0; tries < LastTries && checkpoints.Last?.Step != state.Step && checkpoints.Failure is { } failure && DiskSpace.RanOut(failure); tries++)
        {
            if (tries == 0)
            {
                sink.Emit(new LogEvent(LogLevel.Warning, $"All {state.Step} steps are done, and there is no room for their checkpoint: {failure.Message} Trying again."));
            }

            Task.Delay(FirstPause * (1 << tries), clock, control.StopToken).Wait(control.StopToken);
            SaveNow(state);
        }
    }

    // What was accumulated of the step under way is dropped: the checkpoint is of the last complete step.
    private bool Stop(TrainState state)
    {
        sink.Emit(new LogEvent(LogLevel.Info, $"Stopping after step {state.Step}: {control.StopReason}."));
        SaveNow(state);
        var last = checkpoints.Last;
        sink.Emit(new StoppedEvent(last?.Step ?? 0, last?.Trace ?? TraceHash.Empty.ToString()) { PeakMemoryBytes = DeviceFacts.PeakBytes(session.Device) });
        return false;
    }

    private void SaveNow(TrainState state)
    {
        checkpoints.Wait();
        if (state.Step > 0 && checkpoints.Last?.Step != state.Step)
        {
            Checkpoint(state);
            checkpoints.Wait();
        }
    }

    // Skipped and counted, whatever was accumulated dropped: the same data and numbers would give the same again.
    private void SaySkipped(TrainState next, string what)
    {
        if (next.SkippedInARow > MostSkippedInARow)
        {
            throw new NotFiniteException($"{what} So were the {MostSkippedInARow} steps before it, which were skipped; {next.Skipped} of the run in all.");
        }

        sink.Emit(new SkippedEvent(next.Step, next.Skipped, what, next.Trace));
    }

    private static string NotFinite(TrainState state, (double Total, double Main) loss, double norm, double lr) => string.Create(
        CultureInfo.InvariantCulture,
        $"Step {state.Step + 1} is not finite: loss {loss.Total}, next-token loss {loss.Main}, gradient norm {norm}, learning rate {lr:E3}, after {state.Tokens} tokens, last loss {state.LastLoss}.");
}
