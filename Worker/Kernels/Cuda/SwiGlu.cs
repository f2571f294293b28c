using Hearth.Kernels.Autograd;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>silu(gate) ⊙ up in one pass, fp32 or bf16.</summary>
internal static class SwiGlu
{
    private static readonly (CudaKernel Float, CudaKernel Narrow) s_forward = Launches.Fused("swiglu");
    private static readonly (CudaKernel Float, CudaKernel Narrow) s_backward = Launches.Fused("swiglu_backward");

    internal static Tensor Apply(Tensor gate, Tensor up)
    {
        Launches.Require(gate.shape.AsSpan().SequenceEqual(up.shape), "SwiGLU takes a gate and an up of one shape", gate, up);
        return AutogradNode.Apply([gate, up], () => Forward(gate, up), Backward)[0];
    }

    private static ForwardPass Forward(Tensor gateIn, Tensor upIn)
    {
        var (gate, up) = (Launches.InOrder(gateIn), Launches.InOrder(upIn));
        var y = empty_like(gate);
        long n = gate.numel();
        s_forward.For(gate.dtype).Launch(gate.device, Launches.Blocks(n), Launches.Threads, gate, up, y, n);
        return new ForwardPass([y], [gate, up]);
    }

    private static Tensor?[] Backward(Tensor[] saved, Tensor?[] grads)
    {
        if (grads[0] is not { } given)
        {
            return [null, null];
        }

        var (dy, gate, up) = (Launches.InOrder(given), saved[0], saved[1]);
        var (dgate, dup) = (empty_like(gate), empty_like(up));
        long n = dy.numel();
        s_backward.For(dy.dtype).Launch(dy.device, Launches.Blocks(n), Launches.Threads, dy, gate, up, dgate, dup, n);
        return [dgate, dup];
    }
}
