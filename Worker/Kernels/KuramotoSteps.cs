using Hearth.Kernels.Autograd;
using TorchSharp;
using static TorchSharp.torch;

// B batch, T time, N oscillators, R rings, F = 4 observed numbers, I = 2F, O outputs of a controller.
namespace Hearth.Kernels;

/// <summary>
/// Explicit Euler steps of one layer's oscillators. Keeps only what goes in and runs the steps again in the backward pass: a step's dozen
/// intermediates of [B,T,N] never outlive it. Its naive twin, QuazimotoBlock.NaiveIntegrate, says what each line means.
/// </summary>
internal static class KuramotoSteps
{
    // The first nine of an Oscillators' tensors take gradients; after them come the controllers' state and the rings.
    private const int Differentiable = 9;

    internal static Tensor[] Apply(Oscillators o)
    {
        Check(o);
        Tensor?[] all =
        [
            o.Theta_BTN, o.Omega_BTN, o.Injection_BTN, o.K_RR, o.Alpha_R, o.CenterPhase, o.CenterOmega, o.CenterGain_R, o.Decode_ROI,
            o.Last_BTRF, o.Fast_BTRFF, o.Means_NR, o.Spread_RN,
        ];
        bool[] present = Array.ConvertAll(all, tensor => tensor is not null);
        Tensor[] inputs = [.. all.Take(Differentiable).OfType<Tensor>()];
        bool[] wanted = Array.ConvertAll(inputs, input => input.requires_grad);
        var (steps, dt) = (o.Steps, o.Dt);
        return AutogradNode.Apply(
            inputs,
            () =>
            {
                Tensor[] outputs = Forward(o);
                return new ForwardPass(outputs, [.. all.OfType<Tensor>()], WithoutGradient: outputs.Length - 1);
            },
            (saved, grads) => grads[0] is { } dTheta ? Backward(saved, (present, wanted), (steps, dt), dTheta) : new Tensor?[wanted.Length]);
    }

    private static void Check(Oscillators o)
    {
        string Text(Tensor tensor) => $"[{string.Join(", ", tensor.shape)}]";
        long rings = o.Spread_RN.size(0), oscillators = o.Spread_RN.size(1);
        if (!o.Theta_BTN.shape.AsSpan().SequenceEqual(o.Omega_BTN.shape) || o.Theta_BTN.size(-1) != oscillators)
        {
            throw new KernelException($"Kuramoto: phases are {Text(o.Theta_BTN)}, frequencies {Text(o.Omega_BTN)}. Allowed: one shape that ends in {oscillators}.");
        }

        if (!o.Means_NR.shape.AsSpan().SequenceEqual([oscillators, rings]) || !o.K_RR.shape.AsSpan().SequenceEqual([rings, rings]))
        {
            throw new KernelException($"Kuramoto: means are {Text(o.Means_NR)}, K is {Text(o.K_RR)}. Allowed: [{oscillators}, {rings}] and [{rings}, {rings}].");
        }

        if (o.Steps < 1)
        {
            throw new KernelException($"Kuramoto: steps is {o.Steps}. Allowed: at least 1.");
        }
    }

    // Phases; with controllers also their last observation and fast weights, empty before the second observation.
    private static Tensor[] Forward(Oscillators o)
    {
        using var scope = NewDisposeScope();
        var trace = new Trace(o.Last_BTRF, o.Fast_BTRFF);
        var theta = Integrate(o, trace);
        Tensor[] outputs = o.Decode_ROI is null ? [theta] : [theta, trace.Last!, trace.Fast ?? zeros([0], theta.dtype, theta.device)];
        return Array.ConvertAll(outputs, output => output.MoveToOuterDisposeScope());
    }

    private static Tensor?[] Backward(Tensor[] saved, (bool[] Present, bool[] Wanted) which, (int Steps, double Dt) euler, Tensor dTheta)
    {
        var all = new Tensor?[which.Present.Length];
        for (int i = 0, next = 0; i < all.Length; i++)
        {
            all[i] = which.Present[i] ? saved[next++].detach() : null;
        }

        Tensor[] leaves = [.. all.Take(Differentiable).OfType<Tensor>()];
        Tensor[] wanted = [.. leaves.Where((_, i) => which.Wanted[i]).Select(leaf => leaf.requires_grad_())];
        IList<Tensor> found;
        using (enable_grad())
        {
            var theta = Integrate(Again(all, euler), new Trace(all[Differentiable], all[Differentiable + 1]));
            found = autograd.grad([theta], wanted, [dTheta]);
        }

        var grads = new Tensor?[leaves.Length];
        for (int i = 0, next = 0; i < grads.Length; i++)
        {
            grads[i] = which.Wanted[i] ? found[next++] : null;
        }

        return grads;
    }

    private static Oscillators Again(Tensor?[] all, (int Steps, double Dt) euler) => new(all[0]!, all[1]!, all[2])
    {
        K_RR = all[3]!,
        Alpha_R = all[4]!,
        CenterPhase = all[5]!,
        CenterOmega = all[6]!,
        CenterGain_R = all[7]!,
        Decode_ROI = all[8],
        Last_BTRF = all[9],
        Fast_BTRFF = all[10],
        Means_NR = all[11]!,
        Spread_RN = all[12]!,
        Steps = euler.Steps,
        Dt = euler.Dt,
    };

    private static Tensor Integrate(Oscillators o, Trace trace)
    {
        // Products by functional.linear: a failure inside TorchSharp's matmul ends the process.
        Tensor means_RN = o.Means_NR.t(), spread_NR = o.Spread_RN.t(), theta = o.Theta_BTN;
        var frequency = o.Decode_ROI is null ? null : nn.functional.linear(o.Omega_BTN.detach(), means_RN);
        using Scalar dt = o.Dt;
        for (int s = 0; s < o.Steps; s++)
        {
            Tensor cos = theta.cos(), sin = theta.sin();
            Tensor re = nn.functional.linear(cos, means_RN), im = nn.functional.linear(sin, means_RN);
            Tensor fieldRe = nn.functional.linear(re, o.K_RR), fieldIm = nn.functional.linear(im, o.K_RR);
            var (alpha, gain) = (o.Alpha_R, o.CenterGain_R);
            var tuned = o.Decode_ROI is { } decode ? Observe(decode, trace, (re, im), frequency!) : null;
            if (tuned is not null)
            {
                var row = tuned.select(-1, 0) + 1;
                (fieldRe, fieldIm) = (fieldRe * row, fieldIm * row);
                alpha = (tuned.select(-1, 1) * (Math.PI / 4)) + alpha;
                gain = (tuned.select(-1, 2) + 1) * gain;
            }

            Tensor cosA = alpha.cos(), sinA = alpha.sin(), center = o.CenterPhase + (o.CenterOmega * (s * o.Dt));
            var driveRe = (fieldRe * cosA) + (fieldIm * sinA) + (gain * center.cos());
            var driveIm = (fieldIm * cosA) - (fieldRe * sinA) + (gain * center.sin());
            var speed = o.Omega_BTN + ((nn.functional.linear(driveIm, spread_NR) * cos) - (nn.functional.linear(driveRe, spread_NR) * sin));
            if (o.Injection_BTN is { } injection)
            {
                speed += tuned is null ? injection : injection * nn.functional.linear(tuned.select(-1, 3) + 1, spread_NR);
            }

            theta += speed * dt;
        }

        return theta;
    }

    // Every ring is observed, its fast weight learns from its own error without a gradient, and the decoder reads both: tanh m [B,T,R,O].
    private static Tensor Observe(Tensor decode_ROI, Trace trace, (Tensor Re, Tensor Im) mean_BTR, Tensor frequency_BTR)
    {
        Tensor seen_BTRI;
        using (no_grad())
        {
            var length = (mean_BTR.Re.square() + mean_BTR.Im.square()).sqrt().clamp_min(1e-6);
            var now = stack([length, mean_BTR.Re / length, mean_BTR.Im / length, frequency_BTR], -1);
            var error = zeros_like(now);
            if (trace.Last is { } last)
            {
                error = trace.Fast is null ? now : now - (trace.Fast * last.unsqueeze(-2)).sum(-1L);
                var step = error.unsqueeze(-1) * (last / (last.square().sum(-1L, true) + 1e-3)).unsqueeze(-2) * 0.5;
                trace.Fast = trace.Fast is null ? step : trace.Fast + step;
            }

            trace.Last = now;
            seen_BTRI = cat([now, error], -1);
        }

        var shape = seen_BTRI.shape;
        var rows_RSI = seen_BTRI.reshape(shape[0] * shape[1], shape[2], shape[3]).transpose(0, 1);
        return rows_RSI.bmm(decode_ROI.transpose(1, 2)).transpose(0, 1).reshape(shape[0], shape[1], shape[2], decode_ROI.size(1)).tanh();
    }

    /// <summary>What controllers carry from step to step: null before the first and the second observation.</summary>
    private sealed class Trace(Tensor? last, Tensor? fast)
    {
        internal Tensor? Last { get; set; } = last;

        internal Tensor? Fast { get; set; } = fast;
    }
}
