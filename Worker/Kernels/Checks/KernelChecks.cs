using static TorchSharp.torch;

// B batch, T time, H heads, N channels of a head or states, P channels of a head, D width, S rows, V vocabulary.
namespace Hearth.Kernels.Checks;

/// <summary>
/// Every fused kernel of a card against plain operators, outputs and all gradients, at odd sizes and at whole ones, and each twice for
/// equal bits. The plain forms say here what a kernel computes, in fp32.
/// </summary>
public static class KernelChecks
{
    private const double Wide = 2e-5, Narrow = 2e-2, Scanned = 1e-4;

    /// <summary>The checks of a device; none where it has no kernels of this kind.</summary>
    public static IEnumerable<KernelCheck> Of(Device device)
    {
        if (device.type != TorchSharp.DeviceType.CUDA)
        {
            return [];
        }

        return
        [
            .. new[] { ScalarType.Float32, ScalarType.BFloat16 }.SelectMany(type => Elementwise(device, type)),
            .. Scans(device),
            .. Norms(device),
            .. RecordingChecks.Of(device),
            .. DeviceChecks.Of(device),
            .. ExactnessChecks.Of(device),
        ];
    }

    private static IEnumerable<KernelCheck> Elementwise(Device device, ScalarType type)
    {
        double allowed = type == ScalarType.Float32 ? Wide : Narrow;
        foreach (long width in new[] { 129L, 512, 4096 })
        {
            foreach (var check in Twins(
                $"rms_norm of {width} to {type}", device, [[3, 7, width], [width]], allowed,
                x => [FusedKernels.RmsNorm(x[0], x[1], 1e-6, type) ?? throw new KernelException("no kernel")],
                x => [(x[0] * (x[0].pow(2).mean([-1L], true) + 1e-6).rsqrt() * x[1]).to(type)]))
            {
                yield return check;
            }
        }

        foreach (long width in new[] { 131L, 256 })
        {
            foreach (var check in Twins(
                $"swiglu of {width} in {type}", device, [[5, width], [5, width]], allowed,
                x => [FusedKernels.SwiGlu(x[0].to(type), x[1].to(type)) ?? throw new KernelException("no kernel")],
                x => [(x[0].to(type).to(ScalarType.Float32).sigmoid() * x[0].to(type).to(ScalarType.Float32) * x[1].to(type)).to(type)]))
            {
                yield return check;
            }
        }

        foreach (var check in Twins($"rope in {type}", device, [[2, 3, 17, 10]], allowed, x => [Turned(x[0].to(type), fused: true)], x => [Turned(x[0].to(type), fused: false)]))
        {
            yield return check;
        }

        foreach (var (z, softcap) in new[] { (0.0, 0.0), (0.01, 3.0) })
        {
            yield return new KernelCheck($"cross entropy, z {z}, softcap {softcap}, in {type}", () => CrossEntropy(device, type, z, softcap), allowed);
        }
    }

    private static IEnumerable<KernelCheck> Scans(Device device)
    {
        long[][] delta = [.. Enumerable.Repeat(new long[] { 2, 37, 3, 16 }, 6), [2, 3, 16, 16]];
        long[][] wide = [.. Enumerable.Repeat(new long[] { 1, 48, 2, 64 }, 6), [1, 2, 64, 64]];
        long[][] ssd = [[2, 37, 3, 24], [2, 37, 3], [2, 37, 16], [2, 37, 16], [2, 3, 24, 16]];
        return
        [
            .. Twins("delta_scan of 16 channels", device, delta, Scanned, x => Delta(x, fused: true), x => Delta(x, fused: false)),
            .. Twins("delta_scan of 64 channels", device, wide, Scanned, x => Delta(x, fused: true), x => Delta(x, fused: false)),
            .. Twins("ssd_scan", device, ssd, RoundingBounds.SsdScan(37, 24, 16), x => Ssd(x, fused: true), x => Ssd(x, fused: false), Comparison.LargestOfScale),
        ];
    }

    private static IEnumerable<KernelCheck> Norms(Device device)
    {
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            Tensor[] Tensors() => [.. Comparison.Inputs(device, [3], [70_001], [512, 300], [1], [200_000]).Select(x => x.to(type))];
            yield return new KernelCheck($"norms in {type}", () =>
            {
                Tensor[] tensors = Tensors();
                return Comparison.Largest(FusedKernels.Norms(tensors)!, [.. tensors.Select(t => t.to(ScalarType.Float64).pow(2).sum().sqrt())]);
            }, 1e-5);
            yield return new KernelCheck($"norms in {type} twice", () =>
            {
                Tensor[] tensors = Tensors();
                return Comparison.Bits(FusedKernels.Norms(tensors)!, FusedKernels.Norms(tensors)!);
            });
        }
    }

    private static IEnumerable<KernelCheck> Twins(string name, Device device, long[][] shapes, double allowed, Func<Tensor[], Tensor[]> fused, Func<Tensor[], Tensor[]> plain, Func<Tensor[], Tensor[], double>? compare = null)
    {
        yield return new KernelCheck(name, () =>
        {
            Tensor[] inputs = Comparison.Inputs(device, shapes);
            return (compare ?? Comparison.Largest)(Comparison.WithGradients(inputs, fused), Comparison.WithGradients(inputs, plain));
        }, allowed);
        yield return new KernelCheck($"{name} twice", () =>
        {
            Tensor[] inputs = Comparison.Inputs(device, shapes);
            return Comparison.Bits(Comparison.WithGradients(inputs, fused), Comparison.WithGradients(inputs, fused));
        });
    }

    private static Tensor Turned(Tensor x_BHTN, bool fused)
    {
        const int pairs = 3;
        var angles_TP = arange(0, x_BHTN.size(2), ScalarType.Float32, x_BHTN.device).unsqueeze(1) * tensor([1f, 0.3f, 0.1f]).to(x_BHTN.device);
        var (cosine, sine) = (angles_TP.cos(), angles_TP.sin());
        if (fused)
        {
            return FusedKernels.Rope(x_BHTN, cosine, sine) ?? throw new KernelException("no kernel");
        }

        var (a, b) = (x_BHTN.narrow(-1, 0, pairs), x_BHTN.narrow(-1, pairs, pairs));
        return cat([(a * cosine - b * sine).to(x_BHTN.dtype), (a * sine + b * cosine).to(x_BHTN.dtype), x_BHTN.narrow(-1, 2 * pairs, x_BHTN.size(-1) - (2 * pairs))], -1);
    }

    private static double CrossEntropy(Device device, ScalarType type, double z, double softcap)
    {
        const long rows = 33, vocab = 1003, padded = 1024;
        var logits_SP = (Comparison.Inputs(device, [rows, padded])[0] * 4).to(type);
        var labels_S = tensor([.. Enumerable.Range(0, (int)rows).Select(i => i % 5 == 0 ? -100L : i * 13 % vocab)]).to(device);
        var leaf = logits_SP.to(ScalarType.Float32).clone().requires_grad_();
        var used_SV = leaf.narrow(1, 0, vocab);
        var bent_SV = softcap > 0 ? (used_SV / softcap).tanh() * softcap : used_SV;
        var counts_S = labels_S.ge(0).to(ScalarType.Float32);
        var lse_S = bent_SV.logsumexp(-1) * counts_S;
        var losses_S = lse_S - (bent_SV.gather(1, labels_S.clamp(0).unsqueeze(1)).squeeze(1) * counts_S);
        (losses_S.sum() + (lse_S.pow(2).sum() * z)).backward();
        var (found_S, squares_S) = FusedKernels.CrossEntropy_(logits_SP, labels_S, vocab, z, softcap);
        return Comparison.Largest([found_S, squares_S, logits_SP], [losses_S.detach(), lse_S.detach().pow(2), leaf.grad!]);
    }

    // S' = diag(w) S + β (αᵀ S) + k vᵀ, y = S'ᵀ r.
    private static Tensor[] Delta(Tensor[] x, bool fused)
    {
        var (r, k, v, alpha, beta, logW, state) = (x[0], x[1], x[2], x[3] * 0.2, x[4] * 0.2, x[5].exp() * -1.0, x[6]);
        if (fused)
        {
            var both = FusedKernels.DeltaScan(r, k, v, alpha, beta, logW, state) ?? throw new KernelException("no kernel");
            return [both.Y, both.State];
        }

        var outputs = new List<Tensor>();
        for (long t = 0; t < r.size(1); t++)
        {
            Tensor At(Tensor of) => of.select(1, t);
            var moved_BH1N = (At(alpha).unsqueeze(-1) * state).sum([-2L], true);
            state = (At(logW).exp().unsqueeze(-1) * state) + (At(beta).unsqueeze(-1) * moved_BH1N) + (At(k).unsqueeze(-1) * At(v).unsqueeze(-2));
            outputs.Add((At(r).unsqueeze(-1) * state).sum([-2L]));
        }

        return [stack(outputs, 1), state];
    }

    // h' = a h + x bᵀ, y = h' c; the plain form in fp64 from the same fp32 numbers, so that what differs is the kernel's own rounding.
    private static Tensor[] Ssd(Tensor[] x, bool fused)
    {
        var (input, logA, b, c, state) = (x[0], x[1].exp() * -1.0, x[2], x[3], x[4]);
        if (fused)
        {
            var both = FusedKernels.SsdScan(input, logA, b, c, state) ?? throw new KernelException("no kernel");
            return [both.Y, both.State];
        }

        (input, logA, b, c, state) = (input.to(ScalarType.Float64), logA.to(ScalarType.Float64), b.to(ScalarType.Float64), c.to(ScalarType.Float64), state.to(ScalarType.Float64));
        var outputs = new List<Tensor>();
        for (long t = 0; t < input.size(1); t++)
        {
            var b_B11N = b.select(1, t).unsqueeze(1).unsqueeze(1);
            state = (logA.select(1, t).exp().unsqueeze(-1).unsqueeze(-1) * state) + (input.select(1, t).unsqueeze(-1) * b_B11N);
            outputs.Add((state * c.select(1, t).unsqueeze(1).unsqueeze(1)).sum([-1L]));
        }

        return [stack(outputs, 1), state];
    }
}
