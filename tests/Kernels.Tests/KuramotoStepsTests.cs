using Hearth.Kernels;
using Hearth.Kernels.Autograd;
using Xunit;
using static TorchSharp.torch;

// B batch, T time, N oscillators, R rings.
namespace Hearth.Tests;

public sealed class KuramotoStepsTests
{
    private const long Rings = 3;
    private const int Steps = 3;
    private const double Dt = 0.1;
    private static readonly int[] Sizes = [5, 4, 2];

    [Theory]
    [InlineData(1, false, ScalarType.Float64)]
    [InlineData(17, true, ScalarType.Float64)]
    [InlineData(63, false, ScalarType.Float32)]
    [InlineData(63, true, ScalarType.Float32)]
    public void Phases_and_all_gradients_equal_the_steps_that_autograd_remembers(int time, bool injected, ScalarType type)
    {
        using var scope = NewDisposeScope();

        // Per step a sine, a cosine and products of numbers of about 1; gradients sum over time and batch, their largest grows with the root.
        KernelCheck.Compare(Inputs(time, injected, type), x => FusedKernels.Kuramoto(Of(x, injected))!, x => [Naive(Of(x, injected))], growth: 40 * Steps, acrossThreads: false);
    }

    [Fact]
    public void Controllers_go_on_from_their_state_and_give_it_back_without_a_gradient()
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [.. Inputs(17, true, ScalarType.Float64), KernelCheck.Normal(20, ScalarType.Float64, Rings, 4, 8) * 0.3];
        var first = FusedKernels.Kuramoto(Of(inputs, true) with { Steps = 1 })!;
        Assert.Equal([2, 17, Rings, 4], first[1].shape);
        Assert.Equal(0, first[2].numel());

        var second = FusedKernels.Kuramoto(Of(inputs, true) with { Theta_BTN = first[0], Last_BTRF = first[1], Steps = 2 })!;
        Assert.Equal([2, 17, Rings, 4, 4], second[2].shape);
        var leaf = inputs[0].clone().requires_grad_();
        Assert.Equal([true, false, false], FusedKernels.Kuramoto(Of([leaf, .. inputs[1..]], true))!.Select(t => t.requires_grad));

        KernelCheck.Compare(
            inputs,
            x => [FusedKernels.Kuramoto(Of(x, true) with { Last_BTRF = second[1], Fast_BTRFF = second[2] })![0]],
            x => [Naive(Of(x, true) with { Last_BTRF = second[1], Fast_BTRFF = second[2] })],
            growth: 400,
            acrossThreads: false);
    }

    [Fact]
    public void Only_inputs_that_ask_for_a_gradient_get_one_and_no_node_outlives_its_graph()
    {
        int before = AutogradNode.AliveCount;
        using (NewDisposeScope())
        {
            var inputs = Inputs(5, false, ScalarType.Float64);
            inputs[2].requires_grad_();

            Differentiation.Backward(FusedKernels.Kuramoto(Of(inputs, false))![0].sum());

            Assert.NotNull(inputs[2].grad);
            Assert.Null(inputs[0].grad);
        }

        Assert.Equal(before, AutogradNode.AliveCount);
    }

    [Fact]
    public void Frequencies_of_another_shape_and_no_steps_are_refused()
    {
        using var scope = NewDisposeScope();
        var o = Of(Inputs(5, false, ScalarType.Float32), false);

        Assert.Contains("[2, 4, 11]", Assert.Throws<KernelException>(() => FusedKernels.Kuramoto(o with { Omega_BTN = o.Omega_BTN.narrow(1, 0, 4) })).Message, StringComparison.Ordinal);
        Assert.Contains("steps is 0", Assert.Throws<KernelException>(() => FusedKernels.Kuramoto(o with { Steps = 0 })).Message, StringComparison.Ordinal);
    }

    private static Tensor[] Inputs(long time, bool injected, ScalarType type)
    {
        Tensor Normal(int seed, params long[] shape) => KernelCheck.Normal(seed, type, shape);
        long n = Sizes.Sum();
        return
        [
            Normal(0, 2, time, n), Normal(1, 2, time, n), Normal(2, Rings, Rings), Normal(3, Rings), Normal(4), Normal(5), Normal(6, Rings),
            .. injected ? [Normal(7, 2, time, n)] : Array.Empty<Tensor>(),
        ];
    }

    private static Oscillators Of(Tensor[] x, bool injected)
    {
        double[] spread = [.. Enumerable.Range(0, (int)Rings).SelectMany(r => Sizes.SelectMany((size, other) => Enumerable.Repeat(r == other ? 1.0 : 0, size)))];
        var spread_RN = tensor(spread, [Rings, Sizes.Sum()]).to(x[0].dtype).clone();
        return new(x[0], x[1], injected ? x[7] : null)
        {
            K_RR = x[2],
            Alpha_R = x[3],
            CenterPhase = x[4],
            CenterOmega = x[5],
            CenterGain_R = x[6],
            Decode_ROI = x.Length > 8 ? x[8] : null,
            Means_NR = (spread_RN / spread_RN.sum([1L], keepdim: true)).t().contiguous(),
            Spread_RN = spread_RN,
            Steps = Steps,
            Dt = Dt,
        };
    }

    // The same written with complex means: each oscillator is pulled by Im(D e^{−iθ}), D = e^{−iα} K z + G e^{iΨ}.
    private static Tensor Naive(Oscillators o)
    {
        var (theta, last, fast) = (o.Theta_BTN, o.Last_BTRF, o.Fast_BTRFF);
        for (int s = 0; s < o.Steps; s++)
        {
            Tensor re = theta.cos().matmul(o.Means_NR), im = theta.sin().matmul(o.Means_NR);
            Tensor row = ones([]).to(theta.dtype), alpha = o.Alpha_R, gain = o.CenterGain_R, admitted = ones_like(theta);
            if (o.Decode_ROI is not null)
            {
                Tensor seen;
                using (no_grad())
                {
                    var length = complex(re, im).abs().clamp(min: 1e-6);
                    var now = stack([length, re / length, im / length, o.Omega_BTN.matmul(o.Means_NR)], -1);
                    var predicted = last is null || fast is null ? zeros_like(now) : fast.matmul(last.unsqueeze(-1)).squeeze(-1);
                    var error = last is null ? zeros_like(now) : now - predicted;
                    if (last is not null)
                    {
                        var learnt = error.unsqueeze(-1).matmul(last.unsqueeze(-2)) / (last.pow(2).sum([-1], keepdim: true) + 1e-3).unsqueeze(-1) / 2;
                        fast = fast is null ? learnt : fast + learnt;
                    }

                    (last, seen) = (now, cat([now, error], -1));
                }

                var tuned = (o.Decode_ROI * seen.unsqueeze(-2)).sum([-1]).tanh();
                (row, alpha) = (tuned.select(-1, 0) + 1, o.Alpha_R + (tuned.select(-1, 1) * Math.PI / 4));
                (gain, admitted) = (o.CenterGain_R * (tuned.select(-1, 2) + 1), (tuned.select(-1, 3) + 1).matmul(o.Spread_RN));
            }

            var centre = o.CenterPhase + (o.CenterOmega * (s * o.Dt));
            Tensor fieldRe = re.matmul(o.K_RR.t()) * row, fieldIm = im.matmul(o.K_RR.t()) * row;
            var shifted = theta + (alpha + zeros_like(re)).matmul(o.Spread_RN);
            var pull = (fieldIm.matmul(o.Spread_RN) * shifted.cos()) - (fieldRe.matmul(o.Spread_RN) * shifted.sin());
            pull += (gain + zeros_like(re)).matmul(o.Spread_RN) * (centre - theta).sin();
            var speed = o.Omega_BTN + pull + (o.Injection_BTN is null ? zeros_like(theta) : o.Injection_BTN * admitted);
            theta = theta + (speed * o.Dt);
        }

        return theta;
    }
}
