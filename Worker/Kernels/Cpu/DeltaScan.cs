using System.Numerics;
using Hearth.Kernels.Autograd;
using Hearth.Kernels.Door;
using static TorchSharp.torch;

// B batch, T time, H heads, N head width.
namespace Hearth.Kernels.Cpu;

/// <summary>
/// The generalised delta rule's state update of RWKV-7 (Peng et al., arXiv 2503.14456, eq. 17), forward and backward:
/// u_t = S_{t−1}ᵀα_t, S_t = diag(w_t)S_{t−1} + β_t u_tᵀ + k_t v_tᵀ, y_t = S_tᵀ r_t. Any log w ≤ 0 is safe.
/// </summary>
internal static unsafe class DeltaScan
{
    /// <summary>Outputs [B,T,H,N] and the last state [B,H,N,N]; N is 8, 16, 32 or 64.</summary>
    /// <exception cref="KernelException">Shapes or types do not belong together.</exception>
    internal static (Tensor Y, Tensor State) Apply(Tensor r, Tensor k, Tensor v, Tensor alpha, Tensor beta, Tensor logW, Tensor state)
    {
        Tensor[] inputs = [r, k, v, alpha, beta, logW, state];
        Check(inputs);
        bool keep = AutogradNode.Records(inputs);
        Tensor? w = null, kept = null;
        try
        {
            var both = AutogradNode.Apply(
                inputs,
                () =>
                {
                    using var logW_BTHN = logW.contiguous();
                    w = logW_BTHN.exp();
                    kept = keep ? empty([state.size(0), state.size(1), Blocks(r), state.size(2), state.size(3)], r.dtype) : null;
                    Tensor[] outputs = r.dtype == ScalarType.Float32 ? Forward<float>(inputs, w, kept) : Forward<double>(inputs, w, kept);
                    return new ForwardPass(outputs, keep ? [r, k, v, alpha, beta, w, kept!] : []);
                },
                (saved, grads) => saved[0].dtype == ScalarType.Float32 ? Backward<float>(saved, grads) : Backward<double>(saved, grads));
            return (both[0], both[1]);
        }
        finally
        {
            w?.Dispose();
            kept?.Dispose();
        }
    }

    private static long Blocks(Tensor r_BTHN) => (r_BTHN.size(1) + DeltaJob<float>.Every - 1) / DeltaJob<float>.Every;

    private static void Check(Tensor[] inputs)
    {
        string[] names = ["r", "k", "v", "alpha", "beta", "logW", "state"];
        var r = inputs[0];
        Arguments.Dimensions("delta scan", "r", r, 4);
        for (int i = 1; i < 6; i++)
        {
            Arguments.Like("delta scan", names[i], inputs[i], r.shape, r.dtype);
        }

        Arguments.Like("delta scan", "state", inputs[6], [r.size(0), r.size(2), r.size(3), r.size(3)], r.dtype);
    }

    private static Tensor[] Forward<T>(Tensor[] inputs, Tensor w, Tensor? kept)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var r = inputs[0].contiguous();
        using var k = inputs[1].contiguous();
        using var v = inputs[2].contiguous();
        using var alpha = inputs[3].contiguous();
        using var beta = inputs[4].contiguous();
        using var start = inputs[6].contiguous();
        Tensor y = empty(r.shape, r.dtype), end = empty(start.shape, start.dtype);
        var job = Inputs<T>(r, k, v, alpha, beta, w);
        job.Start = Memory.Pointer<T>(start);
        job.Kept = kept is null ? null : Memory.Pointer<T>(kept);
        job.Y = Memory.Pointer<T>(y);
        job.End = Memory.Pointer<T>(end);
        ScanRun.Forward<T, DeltaJob<T>>(job, start.size(0) * start.size(1));
        return [y, end];
    }

    private static Tensor?[] Backward<T>(Tensor[] saved, Tensor?[] grads)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var r = saved[0].contiguous();
        using var k = saved[1].contiguous();
        using var v = saved[2].contiguous();
        using var alpha = saved[3].contiguous();
        using var beta = saved[4].contiguous();
        using var dy = grads[0]?.contiguous();
        using var dEnd = grads[1]?.contiguous();
        var (w, kept) = (saved[5], saved[6]);
        Tensor[] found = [.. Enumerable.Range(0, 6).Select(_ => empty(r.shape, r.dtype)), empty([r.size(0), r.size(2), r.size(3), r.size(3)], r.dtype)];
        var job = Inputs<T>(r, k, v, alpha, beta, w);
        job.Kept = Memory.Pointer<T>(kept);
        job.DY = dy is null ? null : Memory.Pointer<T>(dy);
        job.DEnd = dEnd is null ? null : Memory.Pointer<T>(dEnd);
        job.DR = Memory.Pointer<T>(found[0]);
        job.DK = Memory.Pointer<T>(found[1]);
        job.DV = Memory.Pointer<T>(found[2]);
        job.DAlpha = Memory.Pointer<T>(found[3]);
        job.DBeta = Memory.Pointer<T>(found[4]);
        job.DLogW = Memory.Pointer<T>(found[5]);
        job.DStart = Memory.Pointer<T>(found[6]);
        ScanRun.Backward<T, DeltaJob<T>>(job, r.size(0) * r.size(2));
        GC.KeepAlive(saved);
        return found;
    }

    private static DeltaJob<T> Inputs<T>(Tensor r, Tensor k, Tensor v, Tensor alpha, Tensor beta, Tensor w)
        where T : unmanaged, IFloatingPointIeee754<T> => new()
        {
            Time = r.size(1),
            Heads = r.size(2),
            Width = (int)r.size(3),
            R = Memory.Pointer<T>(r),
            K = Memory.Pointer<T>(k),
            V = Memory.Pointer<T>(v),
            Alpha = Memory.Pointer<T>(alpha),
            Beta = Memory.Pointer<T>(beta),
            W = Memory.Pointer<T>(w),
        };
}
