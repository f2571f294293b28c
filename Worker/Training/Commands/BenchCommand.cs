using System.Diagnostics;
using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Training.Optim;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Commands;

/// <summary><c>bench step</c>: tokens a second of a whole training step, beside the bare matrix products of the same model.</summary>
internal static class BenchCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--family", "--size", "--steps", "--threads", "--rows", "--seq-len", "--optimizer"], []);
        if (arguments.Words is not ["step"])
        {
            throw new BadInputException($"bench {string.Join(' ', arguments.Words)} is unknown. Allowed: step.");
        }

        int threads = arguments.Integer("--threads", 0, 0, 1024);
        if (threads > 0)
        {
            torch.set_num_threads(threads);
        }

        var spec = new ModelSpec { Family = arguments.Text("--family") ?? "qovaryx", Size = arguments.Text("--size") ?? "nano" };
        var errors = new List<FieldError>();
        var plan = Families.Plan(spec, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        int length = Math.Min(plan.MaxSeqLen, arguments.Integer("--seq-len", 256, 8, 1 << 20));
        string optimizer = arguments.Text("--optimizer") ?? "adamw";
        int rows = arguments.Integer("--rows", 8, 1, 1 << 16);
        int steps = arguments.Integer("--steps", 10, 1, 1 << 20);
        var (step, floor) = (Steps(plan, optimizer, rows, length, steps), Floor(plan, rows * length, steps));
        Console.WriteLine(JsonSerializer.Serialize(
            new { plan.Family, plan.Size, optimizer, rows, seq_len = length, threads = torch.get_num_threads(), tokens_per_second = rows * length / step, floor_tokens_per_second = rows * length / floor, share_of_floor = floor / step },
            Json.Wire));
        return ExitCodes.Done;
    }

    private static double Steps(ModelPlan plan, string name, int rows, int length, int steps)
    {
        var model = plan.Build(float32, CPU, 1);
        using var optimizer = Optimizer.Create(model, new OptimizerSpec { Name = name, Lr = 1e-4 });
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, rows * length).Select(_ => random.Next(plan.VocabSize))];
        var totals = model.Count(ids, length);
        return Median(steps, () =>
        {
            using var scope = NewDisposeScope();
            optimizer.zero_grad();
            var ids_BT = tensor(ids, rows, length).to(int64);
            model.Loss(ids_BT, ids_BT, totals).Total.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
        });
    }

    // Forward and both backward products of every matrix, nothing else; the tied head runs once per prediction head.
    private static double Floor(ModelPlan plan, int tokens, int steps)
    {
        using var outer = NewDisposeScope();
        int heads = (int)Math.Round(plan.LogitsPerToken / plan.VocabSize);
        var shapes = plan.Tensors.Where(t => t.Group == ParameterGroup.Matrix).Select(t => (Rows: t.Shape[0], Columns: t.Shape[1]))
            .Concat(Enumerable.Repeat((Rows: (long)plan.VocabSize, Columns: plan.Tensors[0].Shape[1]), heads)).ToArray();
        var weights = shapes.Distinct().ToDictionary(s => s, s => empty([s.Rows, s.Columns]).normal_());
        var widths = shapes.SelectMany(s => new[] { s.Rows, s.Columns }).Distinct().ToDictionary(w => w, w => empty([tokens, w]).normal_());
        return Median(steps, () =>
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

    private static double Median(int times, Action action)
    {
        action();
        var seconds = new double[times];
        for (int i = 0; i < times; i++)
        {
            long began = Stopwatch.GetTimestamp();
            action();
            seconds[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }

        Array.Sort(seconds);
        return seconds[times / 2];
    }
}
