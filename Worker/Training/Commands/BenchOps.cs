using System.Diagnostics;
using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models.Blocks;
using static TorchSharp.torch;

namespace Hearth.Training.Commands;

/// <summary>
/// <c>bench ops</c>: forward and backward of each scan's kernel beside its chunked form in plain operators, at the shapes of VUAF
/// Femto: heads of 32 channels for the delta rule, heads of 64 over a state of 16 for SSD.
/// </summary>
internal static class BenchOps
{
    public static void Run(int rows, int length, int times)
    {
        long[] delta = [rows, length, 4, 32], ssd = [rows, length, 2, 64];
        Tensor[] deltaInputs = [Draw(delta), Draw(delta, 0.2), Draw(delta), Draw(delta, 0.2), Draw(delta, 0.2), Decay(delta), Draw([rows, 4, 32, 32])];
        Tensor[] ssdInputs = [Draw(ssd), Decay([rows, length, 2]), Draw([rows, length, 16], 0.3), Draw([rows, length, 16], 0.3), Draw([rows, 2, 64, 16])];
        Report("delta_scan", deltaInputs, times, x => DeltaScan.Run(Delta(x), x[6]), x => DeltaScan.Chunked(Delta(x), x[6]));
        Report("ssd_scan", ssdInputs, times, x => SsdScan.Run(Ssd(x), x[4]), x => SsdScan.Chunked(Ssd(x), x[4]));
    }

    private static DeltaInputs Delta(Tensor[] x) => new(x[0], x[1], x[2], x[3], x[4], x[5]);

    private static SsdInputs Ssd(Tensor[] x) => new(x[0], x[1], x[2], x[3]);

    private static void Report(string op, Tensor[] inputs, int times, Func<Tensor[], (Tensor Y, Tensor State)> kernel, Func<Tensor[], (Tensor Y, Tensor State)> chunked)
    {
        // A benchmark of two different functions says nothing.
        double difference = Difference(kernel(inputs).Y, chunked(inputs).Y);
        if (!(difference < 1e-3))
        {
            throw new InvalidOperationException($"{op}: kernel and chunked form differ by {difference}.");
        }

        double fast = Median(times, () => Both(inputs, kernel)), slow = Median(times, () => Both(inputs, chunked));
        Console.WriteLine(JsonSerializer.Serialize(
            new { op, shape = inputs[0].shape, threads = get_num_threads(), kernel_ms = fast * 1e3, chunked_ms = slow * 1e3, gain = slow / fast },
            Json.Wire));
    }

    private static void Both(Tensor[] inputs, Func<Tensor[], (Tensor Y, Tensor State)> form)
    {
        using var scope = NewDisposeScope();
        form(inputs).Y.sum().backward();
        foreach (var input in inputs)
        {
            input.grad = null;
        }
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

    private static double Difference(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return (a - b).pow(2).mean().sqrt().Number() / (1 + a.pow(2).mean().sqrt().Number());
    }

    private static Tensor Draw(long[] shape, double std = 1) => empty(shape).normal_(0, std).requires_grad_();

    private static Tensor Decay(long[] shape) => empty(shape).uniform_(-1, -0.001).requires_grad_();
}
