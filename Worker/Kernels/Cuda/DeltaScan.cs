using Hearth.Kernels.Autograd;
using static TorchSharp.torch;

// B batch, T time, H heads, N channels of a head, Q kept states of a row.
namespace Hearth.Kernels.Cuda;

/// <summary>
/// The delta-rule scan in fp32: S' = diag(w) S + β (αᵀS) + k vᵀ, y = Sᵀ r (RWKV-7, arXiv 2503.14456). One block a row and head, one
/// thread a column of the state, in registers.
/// </summary>
internal static class DeltaScan
{
    internal static (Tensor Y, Tensor State)? Apply(Tensor r, Tensor k, Tensor v, Tensor alpha, Tensor beta, Tensor logW, Tensor state)
    {
        bool alike = r.dim() == 4 && r.numel() > 0;
        foreach (var x in (ReadOnlySpan<Tensor>)[k, v, alpha, beta, logW])
        {
            alike &= x.dtype == ScalarType.Float32 && x.shape.AsSpan().SequenceEqual(r.shape);
        }

        Launches.Require(
            alike && state.dtype == ScalarType.Float32 && state.shape.AsSpan().SequenceEqual([r.size(0), r.size(2), r.size(3), r.size(3)]),
            "a delta scan takes six fp32 inputs [B,T,H,N] and a state [B,H,N,N]", r, k, v, alpha, beta, logW, state);
        Tensor[] inputs = [r, k, v, alpha, beta, logW, state];
        bool keep = Launches.KeepsGraph(inputs);
        var both = AutogradNode.Apply(inputs, () => Forward(inputs, keep), Backward);
        return (both[0], both[1]);
    }

    private static ForwardPass Forward(Tensor[] inputs, bool keep)
    {
        var (r, k, v, alpha, beta) = (Launches.InOrder(inputs[0]), Launches.InOrder(inputs[1]), Launches.InOrder(inputs[2]), Launches.InOrder(inputs[3]), Launches.InOrder(inputs[4]));
        var (w, s0) = (Launches.InOrder(inputs[5]).exp(), Launches.InOrder(inputs[6]));
        var (y, end) = (empty_like(r), empty_like(s0));
        long batch = r.size(0), time = r.size(1), heads = r.size(2), n = r.size(3);
        var kept_BHQNN = keep ? empty([batch, heads, ScanKernels.Blocks(time), n, n], ScalarType.Float32, r.device) : null;
        ScanKernels.Of("delta_forward", n, n).Launch(
            r.device, batch * heads, (int)n, LaunchArgument.Addresses(r, k, v, alpha, beta, w), s0, y, end, kept_BHQNN, time, heads);
        return new ForwardPass([y, end], kept_BHQNN is null ? [] : [r, k, v, alpha, beta, w, kept_BHQNN]);
    }

    private static Tensor?[] Backward(Tensor[] s, Tensor?[] grads)
    {
        var (dy, dEnd) = (grads[0] is { } g ? Launches.InOrder(g) : null, grads[1] is { } e ? Launches.InOrder(e) : null);
        var like = s[0];
        long batch = like.size(0), time = like.size(1), heads = like.size(2), n = like.size(3);
        var d = new Tensor[7];
        for (int i = 0; i < 6; i++)
        {
            d[i] = empty_like(like);
        }

        d[6] = empty([batch, heads, n, n], ScalarType.Float32, like.device);
        var scratch = empty([batch * heads, ScanKernels.Every + 1, n, n], ScalarType.Float32, like.device);
        ScanKernels.Of("delta_backward", n, n).Launch(
            like.device, batch * heads, (int)n, LaunchArgument.Addresses(s[0], s[1], s[2], s[3], s[4], s[5]), s[6], dy, dEnd, LaunchArgument.Addresses(d), scratch, time, heads);
        return d;
    }
}
