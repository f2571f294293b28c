using Hearth.Kernels;
using static TorchSharp.torch;

// S rows of a slice, D model width, V vocabulary, P vocabulary padded.
namespace Hearth.Models;

/// <summary>The slices on CUDA: one product, one kernel that turns logits into their gradient, two products.</summary>
public sealed partial class HeadLoss
{
    // A kernel keeps one narrow copy of the logits and not three wide ones; larger slices keep a large device busy.
    private const long FusedSliceValues = 1 << 26;

    // Tensor cores want rows of whole 128-byte lines; the columns added are masked.
    private const long Padding = 64;

    private readonly bool _fused = FusedKernels.HasCrossEntropy(head_VD.device, compute);
    private Tensor? _narrowHead_PD;

    private long RowsAtOnce => _fused ? Math.Max(SliceRows, FusedSliceValues / head_VD.size(0)) : SliceRows;

    private Tensor NarrowHead()
    {
        long vocab = head_VD.size(0), padded = (vocab + Padding - 1) / Padding * Padding;
        return _narrowHead_PD ??= cat([head_VD.detach().to(compute), zeros([padded - vocab, head_VD.size(1)], compute, head_VD.device)]).MoveToOuterDisposeScope();
    }

    private (Tensor Sum, Tensor Squares, Tensor Grad_SD) FusedSlice(Tensor rows_SD, Tensor labels_S, double factor, double z)
    {
        using var scope = NewDisposeScope();
        var head_PD = NarrowHead();
        var narrow_SD = rows_SD.to(compute);
        var grad_SP = nn.functional.linear(narrow_SD, head_PD);
        var (losses_S, squares_S) = FusedKernels.CrossEntropy_(grad_SP, labels_S, head_VD.size(0), z, softcap);
        var (sum, squares) = (losses_S.sum().MoveToOuterDisposeScope(), squares_S.sum().MoveToOuterDisposeScope());
        if (!_graph)
        {
            return (sum, squares, sum);
        }

        // Rows without a label have a gradient of 0 already.
        var grad_SD = grad_SP.mm(head_PD).to(rows_SD.dtype) * factor;
        _headGrad_VD ??= zeros(head_PD.shape, _wide, head_VD.device).MoveToOuterDisposeScope();
        _headGrad_VD.add_(grad_SP.transpose(0, 1).mm(narrow_SD).to(_wide), factor);
        return (sum, squares, grad_SD.MoveToOuterDisposeScope());
    }

    private (Tensor Loss_S, Tensor Grad_SD) FusedRowSlice(Tensor rows_SD, Tensor labels_S, Tensor weights_S1)
    {
        using var scope = NewDisposeScope();
        var head_PD = NarrowHead();
        var grad_SP = nn.functional.linear(rows_SD.to(compute), head_PD);
        var (losses_S, _) = FusedKernels.CrossEntropy_(grad_SP, labels_S, head_VD.size(0));
        if (!_graph)
        {
            return (losses_S.MoveToOuterDisposeScope(), losses_S);
        }

        var grad_SD = grad_SP.mm(head_PD).to(rows_SD.dtype) * weights_S1;
        _headGrad_VD ??= zeros(head_PD.shape, _wide, head_VD.device).MoveToOuterDisposeScope();
        _headGrad_VD.add_(grad_SP.transpose(0, 1).mm((rows_SD * weights_S1).to(compute)).to(_wide));
        return (losses_S.MoveToOuterDisposeScope(), grad_SD.MoveToOuterDisposeScope());
    }
}
