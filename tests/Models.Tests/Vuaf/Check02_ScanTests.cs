using Hearth.Kernels;
using Hearth.Models.Blocks;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

/// <summary>Acceptance check 2 of VUAF: the kernel, the chunked form and the recurrence of both scans are one function.</summary>
public sealed class Check02_ScanTests : IDisposable
{
    // Logs of decays 1 − 1e-6 and e^−100.
    private const double Slowest = -1e-6, Fastest = -100;
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public Check02_ScanTests() => manual_seed(11);

    public static TheoryData<int, string> Lengths()
    {
        var data = new TheoryData<int, string>();
        foreach (int time in new[] { 1, 15, 16, 17, 64 })
        {
            foreach (string decays in new[] { "slowest", "fastest", "mixed" })
            {
                data.Add(time, decays);
            }
        }

        return data;
    }

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Check_2_the_delta_rule_is_one_function_in_three_forms(int time, string decays)
    {
        Same(Delta(time, 8, decays, float64), NaiveDelta, ChunkedDelta, 1e-9);
        Same(Delta(time, 8, decays, float64), NaiveDelta, KernelDelta, 1e-9);
        Same(Delta(time, 32, decays, float32), NaiveDelta, ChunkedDelta, 1e-4);
        Same(Delta(time, 32, decays, float32), NaiveDelta, KernelDelta, 1e-4);
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Check_2_the_state_space_dual_is_one_function_in_three_forms(int time, string decays)
    {
        Same(Ssd(time, 8, decays, float64), NaiveSsd, ChunkedSsd, 1e-9);
        Same(Ssd(time, 8, decays, float64), NaiveSsd, KernelSsd, 1e-9);
        Same(Ssd(time, 32, decays, float32), NaiveSsd, ChunkedSsd, 1e-4);
        Same(Ssd(time, 32, decays, float32), NaiveSsd, KernelSsd, 1e-4);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    public void Every_width_of_the_kernels_agrees_with_the_recurrence(int width)
    {
        Same(Delta(19, width, "mixed", float64), NaiveDelta, KernelDelta, 1e-9);
        Same(Ssd(19, width, "mixed", float64), NaiveSsd, KernelSsd, 1e-9);
    }

    [Fact]
    public void A_width_without_a_kernel_runs_in_chunks()
    {
        Same(Delta(19, 12, "mixed", float64), NaiveDelta, KernelDelta, 1e-9);
        Same(Ssd(19, 12, "mixed", float64), NaiveSsd, KernelSsd, 1e-9);
    }

    [Fact]
    public void Two_pieces_with_a_carried_state_are_one_piece()
    {
        using var quiet = no_grad();
        var x = Delta(40, 16, "mixed", float64);
        var whole = KernelDelta(x);
        var first = KernelDelta([.. x[..6].Select(t => t.narrow(1, 0, 23)), x[6]]);
        var second = KernelDelta([.. x[..6].Select(t => t.narrow(1, 23, 17)), first.State]);

        Assert.InRange(Small.Difference(whole.Y, cat([first.Y, second.Y], 1)), 0, 1e-14);
        Assert.InRange(Small.Difference(whole.State, second.State), 0, 1e-14);
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        var x = Delta(33, 32, "mixed", float32);
        int before = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = Gradients(x, KernelDelta);
            set_num_threads(2);
            var two = Gradients(x, KernelDelta);
            Assert.All(one.Zip(two), pair => Assert.Equal(0.0, Small.Difference(pair.First, pair.Second)));
        }
        finally
        {
            set_num_threads(before);
        }
    }

    // Outputs and every gradient, the initial state's included, of a loss that reads both results.
    private static void Same(Tensor[] inputs, Form expected, Form got, double within)
    {
        foreach (var (a, b) in Gradients(inputs, expected).Zip(Gradients(inputs, got)))
        {
            double scale = 1 + a.HostArray<double>().Max(Math.Abs);
            Assert.InRange(Small.Difference(a, b) / scale, 0, within);
        }
    }

    private static Tensor[] Gradients(Tensor[] inputs, Form form)
    {
        Tensor[] leaves = [.. inputs.Select(x => x.detach().clone().requires_grad_())];
        var (y, state) = form(leaves);
        ((y * Weights(y)).sum() + (state * Weights(state)).sum()).backward();
        return [y.detach(), state.detach(), .. leaves.Select(leaf => leaf.grad!)];
    }

    private static Tensor Weights(Tensor like) => arange(0, like.numel(), like.dtype).view(like.shape).sin();

    private static Tensor[] Delta(int time, int width, string decays, ScalarType dtype)
    {
        long[] shape = [2, time, 3, width];
        double size = 1 / Math.Sqrt(width);

        // α against β, as the mixer has them: the state then stays bounded.
        var kappa = empty(shape, dtype).normal_(0, size);
        return
        [
            empty(shape, dtype).normal_(), empty(shape, dtype).normal_(0, size), empty(shape, dtype).normal_(),
            kappa * -0.7, kappa, Decays(decays, shape, dtype), empty([2, 3, width, width], dtype).normal_(),
        ];
    }

    private static Tensor[] Ssd(int time, int width, string decays, ScalarType dtype) =>
    [
        empty([2, time, 3, width], dtype).normal_(), Decays(decays, [2, time, 3], dtype),
        empty([2, time, 5], dtype).normal_(0, 0.4), empty([2, time, 5], dtype).normal_(0, 0.4), empty([2, 3, width, 5], dtype).normal_(),
    ];

    // Mixed ones are spread evenly over their magnitudes, both ends included, within one head.
    private static Tensor Decays(string which, long[] shape, ScalarType dtype)
    {
        if (which != "mixed")
        {
            return full(shape, which == "slowest" ? Slowest : Fastest, dtype, CPU);
        }

        var mixed = empty(shape, dtype).uniform_(Math.Log(-Slowest), Math.Log(-Fastest)).exp() * -1.0;
        var flat = mixed.view(-1);
        flat.narrow(0, 0, 1).fill_(Slowest);
        flat.narrow(0, 1, 1).fill_(Fastest);
        return mixed;
    }

    private static (Tensor Y, Tensor State) NaiveDelta(Tensor[] x) => DeltaScan.Naive(Inputs(x), x[6]);

    private static (Tensor Y, Tensor State) ChunkedDelta(Tensor[] x) => DeltaScan.Chunked(Inputs(x), x[6]);

    private static (Tensor Y, Tensor State) KernelDelta(Tensor[] x) => DeltaScan.Run(Inputs(x), x[6]);

    private static DeltaInputs Inputs(Tensor[] x) => new(x[0], x[1], x[2], x[3], x[4], x[5]);

    private static (Tensor Y, Tensor State) NaiveSsd(Tensor[] x) => SsdScan.Naive(new SsdInputs(x[0], x[1], x[2], x[3]), x[4]);

    private static (Tensor Y, Tensor State) ChunkedSsd(Tensor[] x) => SsdScan.Chunked(new SsdInputs(x[0], x[1], x[2], x[3]), x[4], 16);

    private static (Tensor Y, Tensor State) KernelSsd(Tensor[] x) => SsdScan.Run(new SsdInputs(x[0], x[1], x[2], x[3]), x[4]);

    private delegate (Tensor Y, Tensor State) Form(Tensor[] inputs);
}
