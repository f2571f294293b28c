using Hearth.Torch;
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

    private readonly bool _fused = HearthSeam.HasCrossEntropy(head_VD.device, compute);
    private Tensor? _narrowHead_PD;

    private (Tensor Sum, Tensor Squares, Tensor Grad_SD) FusedSlice(Tensor rows_SD, Tensor labels_S, double factor, double z)
    {
        using var scope = NewDisposeScope();
        long vocab = head_VD.size(0), padded = (vocab + Padding - 1) / Padding * Padding;
        _narrowHead_PD ??= cat([head_VD.to(compute), zeros([padded - vocab, head_VD.size(1)], compute, head_VD.device)]).MoveToOuterDisposeScope();
        var narrow_SD = rows_SD.to(compute);
        var grad_SP = nn.functional.linear(narrow_SD, _narrowHead_PD);
        var (losses_S, squares_S) = HearthSeam.CrossEntropy_(grad_SP, labels_S, vocab, z, softcap);
        var (sum, squares) = (losses_S.sum().MoveToOuterDisposeScope(), squares_S.sum().MoveToOuterDisposeScope());
        if (!_graph)
        {
            return (sum, squares, sum);
        }

        // Rows without a label have a gradient of 0 already.
        var grad_SD = grad_SP.mm(_narrowHead_PD).to(rows_SD.dtype) * factor;
        _headGrad_VD ??= zeros([padded, head_VD.size(1)], _wide, head_VD.device).MoveToOuterDisposeScope();
        _headGrad_VD.add_(grad_SP.transpose(0, 1).mm(narrow_SD).to(_wide), factor);
        return (sum, squares, grad_SD.MoveToOuterDisposeScope());
    }
}
