using System.Diagnostics;
using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Kernels;
using Hearth.Training.Optim;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Commands;

/// <summary>
/// <c>bench step</c>: tokens a second of a whole training step, beside the bare matrix products of the same model;
/// <c>bench ops</c>: kernels beside their forms in plain operators.
/// </summary>
internal static class BenchCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--family", "--size", "--steps", "--threads", "--rows", "--seq-len", "--device", "--precision", "--peak-tflops", "--optimizer", "--master", "--recompute"], []);
        if (arguments.Words is not (["step"] or ["ops"]))
        {
            throw new BadInputException($"bench {string.Join(' ', arguments.Words)} is unknown. Allowed: step, ops.");
        }

        int threads = arguments.Integer("--threads", 0, 0, 1024);
        if (threads > 0)
        {
            torch.set_num_threads(threads);
        }

        if (arguments.Words is ["ops"])
        {
            BenchOps.Run(arguments.Integer("--rows", 8, 1, 1 << 16), arguments.Integer("--seq-len", 256, 1, 1 << 20), arguments.Integer("--steps", 10, 1, 1 << 20));
            return ExitCodes.Done;
        }

        var spec = new ModelSpec { Family = arguments.Text("--family") ?? "qovaryx", Size = arguments.Text("--size") ?? "nano" };
        var errors = new List<FieldError>();
        var plan = Families.Plan(spec, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        int length = Math.Min(plan.MaxSeqLen, arguments.Integer("--seq-len", 256, 8, 1 << 20));
        int rows = arguments.Integer("--rows", 8, 1, 1 << 16);
        int steps = arguments.Integer("--steps", 10, 1, 1 << 20);
        var how = new OptimizerSpec { Name = arguments.Text("--optimizer") ?? "adamw", Lr = 1e-4 };
        string master = Master(arguments.Text("--master") ?? "fp32", plan, how);
        string precision = arguments.Text("--precision") ?? "fp32", recompute = Recompute(arguments.Text("--recompute") ?? "none");
        var on = device(arguments.Text("--device") ?? "cpu");
        if (on.index >= 0)
        {
            // As every run on CUDA has it.
            Determinism.Set(strict: true);
        }

        var run = new BenchRun(plan, how, rows, length, steps, on, Compute(precision), recompute == "block");
        double step = run.Step(), floor = run.Floor();
        double flops = plan.FlopsPerToken(length) * rows * length;
        double peak = arguments.Number("--peak-tflops", 0, 0, 1e6) * 1e12;
        Console.WriteLine(JsonSerializer.Serialize(
            new
            {
                plan.Family,
                plan.Size,
                optimizer = how.Name,
                recompute,
                rows,
                seq_len = length,
                device = run.Device.ToString(),
                precision,
                master,
                threads = torch.get_num_threads(),
                seconds_per_step = step,
                tokens_per_second = rows * length / step,
                floor_tokens_per_second = rows * length / floor,
                share_of_floor = floor / step,
                model_flops_per_second = flops / step,
                model_flops_utilization = peak > 0 ? flops / step / peak : (double?)null,
                peak_memory_bytes = run.PeakBytes,
                forecast_bytes = MemoryForecast.Of(plan, rows, length, precision, how, recompute: recompute).Tensors,
                host_seconds = run.Host,
                device_seconds = run.Phases,
            },
            Json.Wire));
        return ExitCodes.Done;
    }

    private static string Master(string master, ModelPlan plan, OptimizerSpec how)
    {
        if (master is not ("fp32" or "none") || (master == "none" && (plan.MastersNeeded is not null || how.Name != "adamw8bit")))
        {
            throw new BadInputException($"--master is {master}. Allowed: fp32; none with --optimizer adamw8bit, where the family trains so.");
        }

        plan.Under(new TrainSpec { Master = master }, how);
        return master;
    }

    private static ScalarType Compute(string precision) => precision switch
    {
        "fp32" => float32,
        "bf16" => bfloat16,
        _ => throw new BadInputException($"--precision is {precision}. Allowed: fp32, bf16."),
    };

    private static string Recompute(string what) => what is "none" or "block"
        ? what
        : throw new BadInputException($"--recompute is {what}. Allowed: none, block.");

    /// <summary>One model on one device, stepped on random ids; masters are fp32, products in the compute type.</summary>
    private sealed class BenchRun(ModelPlan plan, OptimizerSpec how, int rows, int length, int steps, Device on, ScalarType compute, bool recompute)
    {
        public Device Device => on;

        /// <summary>Most bytes that tensors held during <see cref="Step"/>.</summary>
        public long PeakBytes { get; private set; }

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
                var ids_BT = tensor(ids, rows, length).to(int64).to(on);
                recorder.Run(model.Prepare(new LossInput(ids_BT, ids_BT, totals) { Tape = new BlockTape(recompute) }, new TrainingStep(1, 0, 0, 1, 0)));
                wait();
                double passes = Stopwatch.GetElapsedTime(began).TotalSeconds;
                optimizer.ClipGradNorm(1);
                optimizer.Step(1);
                wait();
                return new PhaseSeconds(passes, Stopwatch.GetElapsedTime(began).TotalSeconds - passes);
            }

            DeviceMemory.RestartPeak(on);
            double seconds = Median(() => Host = Once(() => { }));
            PeakBytes = DeviceMemory.Use(on).PeakReserved;
            Phases = Once(Wait);
            if (recorder.Refusal is { } refusal)
            {
                Console.Error.WriteLine($"Not recorded: {refusal}");
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
}
