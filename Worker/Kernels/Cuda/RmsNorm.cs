using Hearth.Kernels.Autograd;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>
/// Root-mean-square norm over rows of D fp32 values (arXiv 1910.07467), written in fp32 or bf16. The backward pass sums the weight's
/// gradient by runs of rows and those in order, so that its bits never vary.
/// </summary>
internal static class RmsNorm
{
    // A block of the backward pass holds a row in registers: 8 columns for each of 1,024 threads.
    private const long WidestRow = 8 * 1024;
    private const long Runs = 2112;
    private const int RowsOfBlock = Launches.Threads / 32;
    private static readonly (CudaKernel Float, CudaKernel Narrow) s_forward = Launches.Fused("rms_norm");
    private static readonly (CudaKernel Float, CudaKernel Narrow) s_backward = Launches.Fused("rms_norm_backward");

    /// <summary>The norm in the type <paramref name="output"/>; null where rows are too long.</summary>
    internal static Tensor? Apply(Tensor x_BTD, Tensor weight_D, double eps, ScalarType output)
    {
        if (weight_D.numel() > WidestRow)
        {
            return null;
        }

        Launches.Require(
            weight_D.dim() == 1 && weight_D.is_contiguous() && x_BTD.size(-1) == weight_D.size(0),
            "an RMS norm takes x [...,D] and a weight [D], contiguous", x_BTD, weight_D);
        return AutogradNode.Apply([x_BTD, weight_D], () => Forward(x_BTD, weight_D, (float)eps, output), Backward)[0];
    }

    private static ForwardPass Forward(Tensor x_BTD, Tensor weight_D, float eps, ScalarType output)
    {
        var x = Launches.InOrder(x_BTD);
        long width = weight_D.size(0), rows = x.numel() / Math.Max(1, width);
        var y = empty(x.shape, output, x.device);
        var inverse_R = empty([rows], ScalarType.Float32, x.device);
        s_forward.For(output).Launch(x.device, (rows + RowsOfBlock - 1) / RowsOfBlock, Launches.Threads, x, weight_D, y, inverse_R, rows, width, eps);
        return new ForwardPass([y], [x, weight_D, inverse_R]);
    }

    private static Tensor?[] Backward(Tensor[] saved, Tensor?[] grads)
    {
        if (grads[0] is not { } given)
        {
            return [null, null];
        }

        var (dy, x, weight_D, inverse_R) = (Launches.InOrder(given), saved[0], saved[1], saved[2]);
        long width = weight_D.size(0), rows = inverse_R.numel(), run = Math.Max(1, (rows + Runs - 1) / Runs), blocks = (rows + run - 1) / run;
        var dx = empty_like(x);
        var parts_QD = empty([blocks, width], ScalarType.Float32, x.device);
        s_backward.For(dy.dtype).Launch(x.device, blocks, ThreadsFor(width), dy, x, weight_D, inverse_R, dx, parts_QD, rows, width, run);
        return [dx, parts_QD.sum([0L])];
    }

    // Threads of a block that shares a row, at most 8 columns each.
    private static int ThreadsFor(long width)
    {
        long wanted = width <= 1024 ? (width + 3) / 4 : (width + 7) / 8;
        return (int)Math.Max(32, (wanted + 31) / 32 * 32);
    }
}
