using Hearth.Kernels.Autograd;
using static TorchSharp.torch;

// B batch, T time, H heads, P channels of a head, N states, Q kept states of a row.
namespace Hearth.Kernels.Cuda;

/// <summary>
/// The scan of state-space duality in fp32: h' = a h + x bᵀ, y = h c (Mamba-2, arXiv 2405.21060). One block a row and head, one thread a
/// channel with its states in registers.
/// </summary>
internal static class SsdScan
{
    internal static (Tensor Y, Tensor State)? Apply(Tensor x, Tensor logA, Tensor b, Tensor c, Tensor state)
    {
        bool holds = x.dim() == 4 && x.numel() > 0 && b.dim() == 3 && logA.shape.AsSpan().SequenceEqual(x.shape.AsSpan(0, 3))
            && b.shape.AsSpan().SequenceEqual([x.size(0), x.size(1), b.size(2)]) && c.shape.AsSpan().SequenceEqual(b.shape)
            && state.shape.AsSpan().SequenceEqual([x.size(0), x.size(2), x.size(3), b.size(2)]);
        foreach (var input in (ReadOnlySpan<Tensor>)[logA, b, c, state])
        {
            holds &= input.dtype == ScalarType.Float32;
        }

        Launches.Require(holds, "an SSD scan takes fp32 inputs x [B,T,H,P], log a [B,T,H], b and c [B,T,N] and a state [B,H,P,N]", x, logA, b, c, state);
        Tensor[] inputs = [x, logA, b, c, state];
        bool keep = Launches.KeepsGraph(inputs);
        var both = AutogradNode.Apply(inputs, () => Forward(inputs, keep), Backward);
        return (both[0], both[1]);
    }

    private static ForwardPass Forward(Tensor[] inputs, bool keep)
    {
        var (x, a, b, c, h0) = (Launches.InOrder(inputs[0]), Launches.InOrder(inputs[1]).exp(), Launches.InOrder(inputs[2]), Launches.InOrder(inputs[3]), Launches.InOrder(inputs[4]));
        var (y, end) = (empty_like(x), empty_like(h0));
        long batch = x.size(0), time = x.size(1), heads = x.size(2), p = x.size(3), n = b.size(2);
        var kept_BHQPN = keep ? empty([batch, heads, ScanKernels.Blocks(time), p, n], ScalarType.Float32, x.device) : null;
        ScanKernels.Of("ssd_forward", n, p).Launch(x.device, batch * heads, (int)p, x, a, b, c, h0, y, end, kept_BHQPN, time, heads);
        return new ForwardPass([y, end], kept_BHQPN is null ? [] : [x, a, b, c, kept_BHQPN]);
    }

    private static Tensor?[] Backward(Tensor[] s, Tensor?[] grads)
    {
        var (dy, dEnd) = (grads[0] is { } g ? Launches.InOrder(g) : null, grads[1] is { } e ? Launches.InOrder(e) : null);
        var (x, a, b, c, kept) = (s[0], s[1], s[2], s[3], s[4]);
        long batch = x.size(0), time = x.size(1), heads = x.size(2), p = x.size(3), n = b.size(2);
        var (dx, dLogA, db_BTHN) = (empty_like(x), empty_like(a), empty([batch, time, heads, n], ScalarType.Float32, x.device));
        var (dc_BTHN, dh0) = (empty_like(db_BTHN), empty([batch, heads, p, n], ScalarType.Float32, x.device));
        var scratch = empty([batch * heads, ScanKernels.Every + 1, n, p], ScalarType.Float32, x.device);
        ScanKernels.Of("ssd_backward", n, p).Launch(
            x.device, batch * heads, (int)p, x, a, b, c, kept, dy, dEnd, LaunchArgument.Addresses(dx, dLogA, db_BTHN, dc_BTHN, dh0), scratch, time, heads);
        return [dx, dLogA, db_BTHN.sum([2L]), dc_BTHN.sum([2L]), dh0];
    }
}
