using System.Diagnostics;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Training.Optim;
using static TorchSharp.torch;

namespace Hearth.Training.Commands;

/// <summary>One model on one device, stepped on random ids; masters are fp32, products in the compute type.</summary>
/// <param name="microBatches">Of a step, each of so many rows; their gradients add up.</param>
internal sealed class BenchRun(ModelPlan plan, OptimizerSpec how, int rows, int length, int steps, Device on, ScalarType compute, bool recompute, int microBatches = 1)
{
    public Device Device => on;

    /// <summary>What the device held at most during <see cref="Step"/>.</summary>
    public MemoryUse Memory { get; private set; }

    /// <summary>Why the step's work was not recorded; null where it was, or nothing is recorded on the device.</summary>
    public string? Refusal { get; private set; }

    /// <summary>Seconds in which the host queued a step's parts, forward and backward together: near the step's own, the host is what limits it.</summary>
    public PhaseSeconds? Host { get; private set; }

    /// <summary>Seconds of one step's parts, each waited for.</summary>
    public PhaseSeconds? Phases { get; private set; }

    /// <summary>Median seconds of a whole training step: forward, backward, clip, update.</summary>
    public double Step()
    {
        var model = plan.Build(float32, on, 1, compute);
        using var optimizer = Optimizer.Create(model, how);
        using var recorder = new StepRecorder(model);
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, rows * length).Select(_ => random.Next(plan.VocabSize))];
        var totals = model.Count(ids, length);
        PhaseSeconds Once(Action wait)
        {
            using var scope = NewDisposeScope();
            long began = Stopwatch.GetTimestamp();
            optimizer.ClearGradients();
            for (int i = 0; i < microBatches; i++)
            {
                using var pass = NewDisposeScope();
                var ids_BT = tensor(ids, rows, length).to(int64).to(on);
                recorder.Run(model.Prepare(new LossInput(ids_BT, ids_BT, totals) { Tape = new BlockTape(recompute) }, new TrainingStep(1, 0, 0, 1, 0)));
            }

            wait();
            double passes = Stopwatch.GetElapsedTime(began).TotalSeconds;
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
            wait();
            return new PhaseSeconds(passes, Stopwatch.GetElapsedTime(began).TotalSeconds - passes);
        }

        DeviceMemory.RestartPeak(on);
        double seconds = Median(() => Host = Once(() => { }));
        Memory = DeviceMemory.Use(on);
        Phases = Once(Wait);
        Refusal = recorder.Refusal;
        foreach (var parameter in model.Parameters)
        {
            parameter.Dispose();
        }

        return seconds;
    }

    /// <summary>Forward and both backward products of every matrix, nothing else; the head runs once per prediction head.</summary>
    public double Floor()
    {
        using var outer = NewDisposeScope();
        int heads = (int)Math.Round(plan.LogitsPerToken / plan.VocabSize);
        int tokens = rows * length;
        var shapes = plan.Tensors.Where(t => t.Group == ParameterGroup.Matrix && t.Shape.Count == 2).Select(t => (Rows: t.Shape[0], Columns: t.Shape[1]))
            .Concat(Enumerable.Repeat((Rows: (long)plan.VocabSize, Columns: plan.Tensors[0].Shape[1]), heads)).ToArray();
        var weights = shapes.Distinct().ToDictionary(s => s, s => Random(s.Rows, s.Columns));
        var widths = shapes.SelectMany(s => new[] { s.Rows, s.Columns }).Distinct().ToDictionary(w => w, w => Random(tokens, w));
        return Median(() =>
        {
            using var quiet = no_grad();
            foreach (var shape in shapes)
            {
                using var scope = NewDisposeScope();
                var weight = weights[shape];
                nn.functional.linear(widths[shape.Columns], weight);
                widths[shape.Rows].mm(weight);
                widths[shape.Rows].transpose(0, 1).mm(widths[shape.Columns]);
            }
        });
    }

    internal sealed record PhaseSeconds(double Passes, double Update);

    private Tensor Random(long r, long c) => empty([r, c]).normal_().to(compute).to(on);

    private double Median(Action action)
    {
        action();
        var seconds = new double[steps];
        for (int i = 0; i < steps; i++)
        {
            Wait();
            long began = Stopwatch.GetTimestamp();
            action();
            Wait();
            seconds[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }

        Array.Sort(seconds);
        return seconds[steps / 2];
    }

    private void Wait()
    {
        if (on.index >= 0)
        {
            cuda.synchronize(on);
        }
    }
}
