using System.Numerics;
using Hearth.Kernels.Autograd;
using Hearth.Kernels.Door;
using static TorchSharp.torch;

// B batch, T time, H heads, P head width, N states.
namespace Hearth.Kernels.Cpu;

/// <summary>The state update of Mamba-2 (Dao &amp; Gu, arXiv 2405.21060), forward and backward: h_t = a_t h_{t−1} + x_t B_tᵀ, y_t = h_t C_t.</summary>
internal static unsafe class SsdScan
{
    /// <summary>Outputs [B,T,H,P] and the last state [B,H,P,N]; P is 8, 16, 32 or 64.</summary>
    /// <exception cref="KernelException">Shapes or types do not belong together.</exception>
    internal static (Tensor Y, Tensor State) Apply(Tensor x, Tensor logA, Tensor b, Tensor c, Tensor state)
    {
        Tensor[] inputs = [x, logA, b, c, state];
        Check(inputs);
        bool keep = AutogradNode.Records(inputs);
        Tensor? a = null, kept = null;
        try
        {
            var both = AutogradNode.Apply(
                inputs,
                () =>
                {
                    using var logA_BTH = logA.contiguous();
                    a = logA_BTH.exp();
                    kept = keep ? empty([x.size(0), x.size(2), Blocks(x), b.size(2), x.size(3)], x.dtype) : null;
                    Tensor[] outputs = x.dtype == ScalarType.Float32 ? Forward<float>(inputs, a, kept) : Forward<double>(inputs, a, kept);
                    return new ForwardPass(outputs, keep ? [x, a, b, c, kept!] : []);
                },
                (saved, grads) => saved[0].dtype == ScalarType.Float32 ? Backward<float>(saved, grads) : Backward<double>(saved, grads));
            return (both[0], both[1]);
        }
        finally
        {
            a?.Dispose();
            kept?.Dispose();
        }
    }

    private static long Blocks(Tensor x_BTHP) => (x_BTHP.size(1) + SsdJob<float>.Every - 1) / SsdJob<float>.Every;

    private static void Check(Tensor[] inputs)
    {
        const string kernel = "SSD scan";
        var (x, b) = (inputs[0], inputs[2]);
        Arguments.Dimensions(kernel, "x", x, 4);
        Arguments.Dimensions(kernel, "b", b, 3);
        Arguments.Like(kernel, "logA", inputs[1], [x.size(0), x.size(1), x.size(2)], x.dtype);
        Arguments.Like(kernel, "b", b, [x.size(0), x.size(1), b.size(2)], x.dtype);
        Arguments.Like(kernel, "c", inputs[3], b.shape, x.dtype);
        Arguments.Like(kernel, "state", inputs[4], [x.size(0), x.size(2), x.size(3), b.size(2)], x.dtype);
    }

    private static Tensor[] Forward<T>(Tensor[] inputs, Tensor a, Tensor? kept)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var x = inputs[0].contiguous();
        using var b = inputs[2].contiguous();
        using var c = inputs[3].contiguous();
        using var start = inputs[4].contiguous();
        Tensor y = empty(x.shape, x.dtype), end = empty(start.shape, start.dtype);
        var job = Inputs<T>(x, a, b, c);
        job.Start = Memory.Pointer<T>(start);
        job.Kept = kept is null ? null : Memory.Pointer<T>(kept);
        job.Y = Memory.Pointer<T>(y);
        job.End = Memory.Pointer<T>(end);
        ScanRun.Forward<T, SsdJob<T>>(job, start.size(0) * start.size(1));
        return [y, end];
    }

    private static Tensor?[] Backward<T>(Tensor[] saved, Tensor?[] grads)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var x = saved[0].contiguous();
        using var b = saved[2].contiguous();
        using var c = saved[3].contiguous();
        using var dy = grads[0]?.contiguous();
        using var dEnd = grads[1]?.contiguous();
        var (a, kept) = (saved[1], saved[4]);
        long batch = x.size(0), time = x.size(1), heads = x.size(2), states = b.size(2);
        Tensor dx = empty(x.shape, x.dtype), dLogA = empty(a.shape, a.dtype), dStart = empty([batch, heads, x.size(3), states], x.dtype);
        using Tensor db_BTHN = empty([batch, time, heads, states], x.dtype), dc_BTHN = empty([batch, time, heads, states], x.dtype);
        var job = Inputs<T>(x, a, b, c);
        job.Kept = Memory.Pointer<T>(kept);
        job.DY = dy is null ? null : Memory.Pointer<T>(dy);
        job.DEnd = dEnd is null ? null : Memory.Pointer<T>(dEnd);
        job.DX = Memory.Pointer<T>(dx);
        job.DLogA = Memory.Pointer<T>(dLogA);
        job.DStart = Memory.Pointer<T>(dStart);
        job.DB = Memory.Pointer<T>(db_BTHN);
        job.DC = Memory.Pointer<T>(dc_BTHN);
        ScanRun.Backward<T, SsdJob<T>>(job, batch * heads);
        GC.KeepAlive(saved);
        return [dx, dLogA, db_BTHN.sum([2L]), dc_BTHN.sum([2L]), dStart];
    }

    private static SsdJob<T> Inputs<T>(Tensor x, Tensor a, Tensor b, Tensor c)
        where T : unmanaged, IFloatingPointIeee754<T> => new()
        {
            Time = x.size(1),
            Heads = x.size(2),
            Width = (int)x.size(3),
            States = (int)b.size(2),
            X = Memory.Pointer<T>(x),
            A = Memory.Pointer<T>(a),
            B = Memory.Pointer<T>(b),
            C = Memory.Pointer<T>(c),
        };
}
