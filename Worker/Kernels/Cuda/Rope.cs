using Hearth.Kernels.Autograd;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>Rotary positions by tables [T,P] in fp32: pairs (p, p+P) of the first 2P of N values turn, the rest passes. The backward pass turns back.</summary>
internal static class Rope
{
    private static readonly (CudaKernel Float, CudaKernel Narrow) s_turn = Launches.Fused("rope");

    internal static Tensor Apply(Tensor x_BHTN, Tensor cos_TP, Tensor sin_TP)
    {
        Launches.Require(
            x_BHTN.dim() == 4 && cos_TP.dim() == 2 && cos_TP.shape.AsSpan().SequenceEqual(sin_TP.shape) && sin_TP.dtype == cos_TP.dtype
                && cos_TP.size(0) == x_BHTN.size(2) && 2 * cos_TP.size(1) <= x_BHTN.size(3),
            "rotary positions take x [B,H,T,N] and tables [T,P] with 2P ≤ N", x_BHTN, cos_TP, sin_TP);

        // Heads come as a transposed view of [B,T,H,N], which is how they lie in memory.
        var x_BTHN = x_BHTN.transpose(1, 2);
        var (cosine, sine) = (Launches.InOrder(cos_TP), Launches.InOrder(sin_TP));
        var y_BTHN = AutogradNode.Apply(
            [x_BTHN],
            () => new ForwardPass([Turn(x_BTHN, cosine, sine, 1)], [cosine, sine]),
            (saved, grads) => [grads[0] is { } dy ? Turn(dy, saved[0], saved[1], -1) : null])[0];
        return y_BTHN.transpose(1, 2);
    }

    private static Tensor Turn(Tensor given_BTHN, Tensor cosine, Tensor sine, float sign)
    {
        var x = Launches.InOrder(given_BTHN);
        var y = empty_like(x);
        long time = x.size(1), heads = x.size(2), width = x.size(3), pairs = cosine.size(1), rows = x.numel() / Math.Max(1, width);
        s_turn.For(x.dtype).Launch(x.device, Launches.Blocks(rows * (width - pairs)), Launches.Threads, x, cosine, sine, y, rows, time, heads, width, pairs, sign);
        return y;
    }
}
