using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>Cross entropies in two passes over the logits, which become their own gradient (running maximum and sum: arXiv 1805.02867).</summary>
internal static class CrossEntropy
{
    private const int ThreadsOfRow = 512, Pack = 8;
    private static readonly (CudaKernel Float, CudaKernel Narrow) s_kernel = Launches.Fused("cross_entropy");

    internal static (Tensor Losses_S, Tensor Squares_S) Apply(Tensor logits_SP, Tensor labels_S, long vocab, double z, double softcap)
    {
        Launches.Require(
            logits_SP.dim() == 2 && logits_SP.is_contiguous() && labels_S.dim() == 1 && labels_S.is_contiguous() && labels_S.dtype == ScalarType.Int64
                && labels_S.size(0) == logits_SP.size(0) && vocab > 0 && vocab <= logits_SP.size(1) && logits_SP.size(1) % Pack == 0,
            $"a cross entropy over {vocab} of P columns takes logits [S,P] of whole packs of {Pack} and int64 labels [S]", logits_SP, labels_S);
        var losses_S = empty([logits_SP.size(0)], ScalarType.Float32, logits_SP.device);
        var squares_S = empty_like(losses_S);
        s_kernel.For(logits_SP.dtype).Launch(
            logits_SP.device, logits_SP.size(0), ThreadsOfRow, logits_SP, labels_S, losses_S, squares_S, logits_SP.size(1), vocab, (float)z, (float)softcap);
        return (losses_S, squares_S);
    }
}
