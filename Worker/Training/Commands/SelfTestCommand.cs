using System.Globalization;
using System.Runtime.InteropServices;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Runs;
using Hearth.Kernels;
using Hearth.Kernels.Checks;
using Hearth.Training.Optim;
using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Training.Commands;

/// <summary>
/// <c>selftest</c>: on the device at hand, every kernel against its naive twin (outputs and gradients, odd sizes), every family
/// against the CPU over 50 steps, the same steps twice for equal bits, and with <c>--cases</c> every parity case there in fp32 and
/// fp64. Ends with <c>N passed, N failed</c>. <c>selftest exact</c> is <see cref="SelfTestExact"/>.
/// </summary>
internal static class SelfTestCommand
{
    private const int Steps = 50;
    private static int s_passed;
    private static int s_failed;

    public static int Run(ReadOnlySpan<string> args)
    {
        if (args is ["exact", .. var rest])
        {
            return SelfTestExact.Run(rest);
        }

        var arguments = Arguments.Parse(args, ["--device", "--cases"], []);
        var on = device(arguments.Text("--device") ?? (cuda.is_available() ? "cuda:0" : "cpu"));
        string[] cases = arguments.Text("--cases") is { } folder ? SelfTestCases.Find(folder) : [];
        Console.WriteLine(Libtorch.Load());
        Determinism.Set(strict: true);
        Kernels(on);
        OfTheCard(on);
        if (on.index >= 0)
        {
            foreach (var family in Families.All)
            {
                Guard($"{family.Name}: the same {Steps} steps recorded and launched, bf16", () => Recorded(family, on, bfloat16, new Cut(1, false)), 0);
                Guard($"{family.Name}: the same in two micro-batches whose blocks run again", () => Recorded(family, on, bfloat16, new Cut(2, true)), 0);
            }
        }

        foreach (var family in Families.All)
        {
            AgainstCpu(family, on);
            Guard($"{family.Name}: the same {Steps} steps twice, fp32", () => Twice(family, on, float32), 0);
            Guard($"{family.Name}: the same {Steps} steps twice, bf16", () => Twice(family, on, bfloat16), 0);
        }

        foreach (string path in cases)
        {
            foreach (string dtype in SelfTestCases.Types)
            {
                bool good = SelfTestCases.Run(path, dtype, on, Console.Out);
                (good ? ref s_passed : ref s_failed)++;
            }
        }

        Console.WriteLine($"{s_passed} passed, {s_failed} failed");
        return s_failed == 0 ? ExitCodes.Done : ExitCodes.Crashed;
    }

    private static void Kernels(Device on)
    {
        foreach (var type in new[] { float32, bfloat16 })
        {
            double allowed = type == float32 ? 2e-5 : 2e-2;
            Guard($"rms_norm to {type}", () => Twins(on, type, [[3, 7, 129], [129]], x => Functions.RmsNorm(x[0], x[1], 1e-6, type), inputs: float32), allowed);
            Guard($"swiglu in {type}", () => Twins(on, type, [[5, 131], [5, 131]], x => FusedKernels.SwiGlu(x[0], x[1]) ?? (x[0].silu() * x[1]), type), allowed);
            var rope = new RopeTables(float32, on);
            Guard($"rope in {type}", () => Twins(on, type, [[2, 3, 17, 10]], x => rope.Turn(x[0], 1e4, 3), type), allowed);
            Guard($"head and cross entropy in {type}", () => HeadLoss(on, type, 0, 0), allowed);
            Guard($"the same with z-loss and softcap in {type}", () => HeadLoss(on, type, 0.01, 3), allowed);
            Guard($"the same with weights of rows in {type}", () => HeadLoss(on, type, 0, 0, byRow: true), allowed);
        }

        Guard("delta_scan", () => Twins(on, float32, Enumerable.Repeat(new long[] { 2, 37, 3, 16 }, 6).Append([2, 3, 16, 16]).ToArray(), Delta, float32), 1e-4);
        Guard("ssd_scan", () => Twins(on, float32, [[2, 37, 3, 24], [2, 37, 3], [2, 37, 16], [2, 37, 16], [2, 3, 24, 16]], Ssd, float32, OfScale), RoundingBounds.SsdScan(37, 24, 16));
        var decoupled = new OptimizerSpec { Lr = 1e-2 };
        Guard("adamw", () => OptimizerTwins(on, decoupled, float32), 1e-5);
        foreach (var type in new[] { float32, bfloat16 })
        {
            var coded = decoupled with { Name = "adamw8bit" };
            Guard($"adamw8bit with weights in {type}", () => OptimizerTwins(on, coded, type), 1e-6);
            Guard($"the same with coupled decay in {type}", () => OptimizerTwins(on, coded with { AdamDecay = "coupled" }, type), 1e-6);
        }
    }

    // What the kernels' own assembly knows of a card: each kernel against plain operators, recordings, memory, exact attention.
    private static void OfTheCard(Device on)
    {
        foreach (var check in KernelChecks.Of(on))
        {
            Guard(check.Name, () =>
            {
                using var scope = NewDisposeScope();
                return check.Difference();
            }, check.Allowed);
        }

        foreach (var time in on.type == DeviceType.CUDA ? ExactnessChecks.Times(on) : [])
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"time   {time.Name}: {time.Milliseconds:0.00} ms"));
        }
    }

    /// <summary>Largest difference of output and gradients with and without kernels, relative to 1 + |v| or to the largest value.</summary>
    private static double Twins(Device on, ScalarType type, long[][] shapes, Func<Tensor[], Tensor> op, ScalarType inputs, Func<Tensor, Tensor, double>? difference = null)
    {
        using var scope = NewDisposeScope();
        manual_seed(7);
        Tensor[] values = [.. shapes.Select(s => empty(s).normal_().to(inputs).to(on))];
        double worst = 0;
        Tensor[]? first = null;
        foreach (bool naive in new[] { true, false })
        {
            FusedKernels.NaiveOnly = naive;
            Tensor[] leaves = [.. values.Select(v => nn.Parameter(v.clone()))];
            var y = op(leaves).to(type);
            (y.to(float32) * arange(0, y.numel(), float32).to(on).view(y.shape).cos()).sum().backward();
            Tensor[] all = [y.detach(), .. leaves.Select(l => l.grad!)];
            worst = first is null ? 0 : all.Zip(first, difference ?? Difference).Max();
            first = all;
        }

        return worst;
    }

    private static Tensor Delta(Tensor[] x)
    {
        var (y, state) = DeltaScan.Run(new DeltaInputs(x[0], x[1], x[2], x[3] * 0.2, x[4] * 0.2, x[5].exp() * -1.0), x[6]);
        return cat([y.flatten(), state.flatten()]);
    }

    // Chunks sum and subtract logs, which in fp32 costs more than the kernel's own rounding: they run in fp64.
    private static Tensor Ssd(Tensor[] x)
    {
        var type = FusedKernels.NaiveOnly ? float64 : float32;
        var (y, state) = SsdScan.Run(new SsdInputs(x[0].to(type), (x[1].exp() * -1.0).to(type), x[2].to(type), x[3].to(type)), x[4].to(type));
        return cat([y.flatten(), state.flatten()]);
    }

    private static double HeadLoss(Device on, ScalarType type, double z, double softcap, bool byRow = false)
    {
        using var scope = NewDisposeScope();
        manual_seed(7);
        var values = (Rows: empty([77, 40]).normal_().to(on), Head: (empty([1003, 40]).normal_() * 0.1).to(on));
        long[] targets = [.. Enumerable.Range(0, 77).Select(i => i % 5 == 0 ? -100L : i * 13 % 1003)];
        var labels = tensor(targets).to(on);
        var results = new List<Tensor[]>();
        foreach (bool naive in new[] { true, false })
        {
            FusedKernels.NaiveOnly = naive;
            var (rows, head) = (nn.Parameter(values.Rows.clone()), nn.Parameter(values.Head.clone()));
            var loss = new HeadLoss(head, type, softcap);
            if (byRow)
            {
                loss.AddRows(rows, labels, arange(0, 77, float32).to(on).cos() * 0.25);
            }
            else
            {
                loss.Add(rows, labels, 0.25, z);
            }

            var total = loss.Total();
            total.backward();
            results.Add([total.detach(), rows.grad!, head.grad!]);
        }

        return results[0].Zip(results[1], Difference).Max();
    }

    /// <summary>Largest difference of weights and moments after three steps; large weights are in <paramref name="type"/>.</summary>
    private static double OptimizerTwins(Device on, OptimizerSpec spec, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var plan = Plan(Families.All[0]).Under(new TrainSpec { Master = type == bfloat16 ? "none" : "fp32" }, spec);
        var weights = new List<Tensor[]>();
        foreach (bool naive in new[] { true, false })
        {
            FusedKernels.NaiveOnly = naive;
            var model = plan.Build(float32, on, 1, type);
            using var optimizer = Optimizer.Create(model, spec);
            for (int step = 0; step < 3; step++)
            {
                foreach (var parameter in model.Parameters)
                {
                    parameter.grad = (parameter * (step + 1.0)).detach();
                }

                // One scale for both: a code at a tie would fall the other way by a last bit of it.
                FusedKernels.NaiveOnly = true;
                optimizer.ClipGradNorm(1);
                FusedKernels.NaiveOnly = naive;
                optimizer.Step(1);
            }

            weights.Add([.. model.Parameters, .. optimizer.State.Select(s => s.Value.clone())]);
        }

        return weights[0].Zip(weights[1], Difference).Max();
    }

    // A chaotic model drifts from itself when a last bit moves; ten times that drift is what another device may have.
    private static void AgainstCpu(Family family, Device on)
    {
        double[] cpu = Losses(family, CPU, float32);
        double drift = on == CPU ? 0 : Furthest(cpu, Losses(family, CPU, float32, 1 + 2e-7));
        Guard($"{family.Name}: fp32 losses of {Steps} steps equal the CPU's", () => Furthest(cpu, Losses(family, on, float32)), Math.Max(2e-3, 10 * drift));
    }

    private static double Furthest(double[] expected, double[] found) => expected.Zip(found, (a, b) => Math.Abs(a - b) / (1 + Math.Abs(a))).Max();

    private static double Twice(Family family, Device on, ScalarType compute) => Apart(Losses(family, on, compute), Losses(family, on, compute));

    // Above 0 where one bit differs.
    private static double Apart(double[] first, double[] second) =>
        first.Zip(second, (a, b) => BitConverter.DoubleToInt64Bits(a) == BitConverter.DoubleToInt64Bits(b) ? 0.0 : Math.Abs(a - b) + double.Epsilon).Max();

    private static double Recorded(Family family, Device on, ScalarType compute, Cut cut) =>
        Apart(Losses(family, on, compute, cut: cut, record: false), Losses(family, on, compute, cut: cut));

    /// <summary>How a batch is run: in so many pieces, with blocks run again or not.</summary>
    private sealed record Cut(int Pieces, bool Recompute);

    private static double[] Losses(Family family, Device on, ScalarType compute, double rate = 1, Cut? cut = null, bool record = true)
    {
        FusedKernels.NaiveOnly = false;
        using var scope = NewDisposeScope();
        var plan = Plan(family);
        int length = Math.Min(64, plan.MaxSeqLen);
        var model = plan.Build(float32, on, 1, compute);
        using var optimizer = new AdamW(model, new OptimizerSpec { Lr = 1e-3 });
        using var recorder = new StepRecorder(model);
        var (pieces, recompute) = cut ?? new Cut(1, false);
        var losses = new double[Steps];
        for (int step = 0; step < Steps; step++)
        {
            using var inner = NewDisposeScope();
            optimizer.ClearGradients();
            int[] ids = [.. Enumerable.Range(0, 4 * length).Select(i => (i * 7 % 31 + (i * i + step) % 11) % plan.VocabSize)];
            var all_BT = tensor(ids, 4, length).to(int64).to(on);
            var totals = model.Count(ids, length) with { MicroBatches = pieces };
            for (int piece = 0; piece < pieces; piece++)
            {
                int rows = 4 / pieces;
                var ids_BT = all_BT.narrow(0, piece * rows, rows);

                // Families that quantise or change their choices do so half-way.
                var at = new TrainingStep(1, step, Steps, 1, piece * rows) { Quantize = step >= Steps / 2 };
                var input = model.Prepare(new LossInput(ids_BT, ids_BT, totals) { Tape = new BlockTape(recompute) }, at);
                losses[step] += (record ? recorder.Run(input) : recorder.Launch(input)).Total.Number();
            }

            optimizer.ClipGradNorm(1);
            optimizer.Step(rate);
            ReadLonger(model, all_BT);
        }

        return recorder.Refusal is { } refusal ? throw new InvalidOperationException($"nothing was recorded: {refusal}") : losses;
    }

    // Longer rows between steps, as evaluations and samples have them: nothing that a recording reads may go.
    private static void ReadLonger(LanguageModel model, Tensor ids_BT)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var row = ids_BT.reshape(1, -1);
        model.Logits(row.narrow(1, 0, Math.Min(row.size(1), model.Plan.MaxSeqLen)));
    }

    private static ModelPlan Plan(Family family) => Families.Plan(new ModelSpec { Family = family.Name, Size = "nano" }, new List<FieldError>())!;

    private static double OfScale(Tensor a, Tensor b)
    {
        double[] x = a.to(float32).cpu().HostArray<double>(), y = b.to(float32).cpu().HostArray<double>();
        double largest = x.Zip(y, (p, q) => double.IsNaN(p - q) ? double.PositiveInfinity : Math.Abs(p - q)).Max();
        return largest / Math.Max(y.Max(Math.Abs), RoundingBounds.SmallestScale);
    }

    private static double Difference(Tensor a, Tensor b)
    {
        double[] x = a.to(float32).cpu().HostArray<double>(), y = b.to(float32).cpu().HostArray<double>();
        return x.Zip(y, (p, q) => double.IsNaN(p - q) ? double.PositiveInfinity : Math.Abs(p - q) / (1 + Math.Abs(q))).Max();
    }

    private static void Guard(string name, Func<double> difference, double allowed)
    {
        string line;
        bool good = false;
        try
        {
            double found = difference();
            good = found <= allowed;
            line = string.Create(CultureInfo.InvariantCulture, $"largest difference {found:0.0e+00}, allowed {allowed:0.0e+00}");
        }
        catch (Exception e) when (e is KernelException or InvalidOperationException or ExternalException)
        {
            line = e.Message.Split('\n')[0];
        }

        FusedKernels.NaiveOnly = false;
        (good ? ref s_passed : ref s_failed)++;
        Console.WriteLine($"{(good ? "ok    " : "FAILED")} {name}: {line}");
    }
}
