using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Kernels;
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
        var arguments = Arguments.Parse(args, ["--family", "--size", "--steps", "--threads", "--rows", "--seq-len", "--device", "--precision", "--peak-tflops", "--optimizer", "--master", "--recompute"], ["--inexact"]);
        if (arguments.Words is not (["step"] or ["ops"] or ["memory"]))
        {
            throw new BadInputException($"bench {string.Join(' ', arguments.Words)} is unknown. Allowed: step, ops, memory.");
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

        if (arguments.Words is ["memory"])
        {
            return BenchMemory.Run(device(arguments.Text("--device") ?? "cpu"), arguments.Text("--family"));
        }

        var spec = new ModelSpec { Family = arguments.Text("--family") ?? "qovaryx", Size = arguments.Text("--size") ?? "nano" };
        var errors = new List<FieldError>();
        var plan = Families.Plan(spec, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        int length = Math.Min(plan.MaxSeqLen, arguments.Integer("--seq-len", 256, 8, 1 << 20));
        int rows = arguments.Integer("--rows", 8, 1, 1 << 16);
        int steps = arguments.Integer("--steps", 10, 1, 1 << 20);
        var how = new OptimizerSpec { Name = arguments.Text("--optimizer") ?? OptimizerKinds.AdamW, Lr = 1e-4 };
        string master = Master(arguments.Text("--master") ?? "fp32", plan, how);
        string precision = arguments.Text("--precision") ?? "fp32", recompute = Recompute(arguments.Text("--recompute") ?? "none");
        bool exact = !arguments.Has("--inexact");
        var on = device(arguments.Text("--device") ?? "cpu");
        if (on.index >= 0)
        {
            // As every run on CUDA has it that does not ask for any algorithm.
            Determinism.Set(strict: exact);
        }

        var run = new BenchRun(plan, how, rows, length, steps, on, Compute(precision), recompute == "block");
        double step = run.Step(), floor = run.Floor();
        if (run.Refusal is { } refusal)
        {
            Console.Error.WriteLine($"Not recorded: {refusal}");
        }

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
                exact,
                threads = torch.get_num_threads(),
                seconds_per_step = step,
                tokens_per_second = rows * length / step,
                floor_tokens_per_second = rows * length / floor,
                share_of_floor = floor / step,
                model_flops_per_second = flops / step,
                model_flops_utilization = peak > 0 ? flops / step / peak : (double?)null,
                peak_memory_bytes = run.Memory.PeakAllocated,
                peak_reserved_bytes = run.Memory.PeakReserved,
                forecast_bytes = MemoryForecast.Of(plan, rows, length, precision, how, recompute: recompute, device: DeviceFacts.Kind(run.Device)).Reserved,
                host_seconds = run.Host,
                device_seconds = run.Phases,
            },
            Json.Wire));
        return ExitCodes.Done;
    }

    private static string Master(string master, ModelPlan plan, OptimizerSpec how)
    {
        if (master is not ("fp32" or "none") || (master == "none" && (plan.MastersNeeded is not null || OptimizerKinds.Find(how.Name) is not { WithoutMasters.Count: > 0 })))
        {
            throw new BadInputException($"--master is {master}. Allowed: fp32; none with --optimizer {string.Join(" or ", OptimizerKinds.All.Where(k => k.WithoutMasters.Count > 0).Select(k => k.Name))}, where the family trains so.");
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
}
