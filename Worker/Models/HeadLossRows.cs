using static TorchSharp.torch;

// N rows, S rows of a slice, D model width, V vocabulary.
namespace Hearth.Models;

public sealed partial class HeadLoss
{
    /// <summary>
    /// Adds Σ_n weight_n · CE_n over rows whose label is not −100. The weights get their gradient too: it is the row's CE.
    /// </summary>
    /// <param name="rows_ND">Inputs of the head.</param>
    /// <param name="labels_N">Targets, −100 = not counted.</param>
    /// <param name="weights_N">One weight a row.</param>
    /// <returns>CE of each row [N], detached; 0 where it is not counted.</returns>
    public Tensor AddRows(Tensor rows_ND, Tensor labels_N, Tensor weights_N)
    {
        if (softcap > 0)
        {
            throw new NotSupportedException("rows with weights of their own have no softcap");
        }

        long rows = rows_ND.size(0);
        var frozen_ND = rows_ND.detach();
        var weights_N1 = weights_N.detach().masked_fill(labels_N.lt(0), 0).unsqueeze(1);
        var losses = new List<Tensor>();
        var gradients = new List<Tensor>();
        using (no_grad())
        {
            long most = RowsAtOnce;
            for (long first = 0; first < rows; first += most)
            {
                long count = Math.Min(most, rows - first);
                var (rows_SD, labels_S, weights_S1) = (frozen_ND.narrow(0, first, count), labels_N.narrow(0, first, count), weights_N1.narrow(0, first, count));
                var (loss_S, grad_SD) = _fused ? FusedRowSlice(rows_SD, labels_S, weights_S1) : RowSlice(rows_SD, labels_S, weights_S1);
                losses.Add(loss_S);
                gradients.Add(grad_SD);
            }
        }

        var losses_N = cat(losses);
        var weighted = (weights_N1.view(-1) * losses_N).sum();
        _value = _value is null ? weighted : _value + weighted;
        if (_graph)
        {
            var part = Along(rows_ND, gradients) + (weights_N * losses_N).sum();
            _surrogate = _surrogate is null ? part : _surrogate + part;
        }

        return losses_N;
    }

    private (Tensor Loss_S, Tensor Grad_SD) RowSlice(Tensor rows_SD, Tensor labels_S, Tensor weights_S1)
    {
        using var scope = NewDisposeScope();
        var narrow_SD = rows_SD.to(compute);
        var logits_SV = nn.functional.linear(narrow_SD, head_VD.to(compute));
        var logp_SV = (logits_SV.dtype == float64 ? logits_SV : logits_SV.to(float32)).log_softmax(-1);
        var index_S1 = labels_S.clamp(min: 0).unsqueeze(1);
        var loss_S = logp_SV.gather(1, index_S1).view(-1).masked_fill(labels_S.lt(0), 0) * -1.0;
        if (!_graph)
        {
            return (loss_S.MoveToOuterDisposeScope(), loss_S);
        }

        var grad_SV = logp_SV.exp();
        grad_SV.scatter_add_(1, index_S1, full([rows_SD.size(0), 1], -1, grad_SV.dtype, grad_SV.device));
        grad_SV = grad_SV.to(compute);
        var grad_SD = grad_SV.mm(head_VD.to(compute)).to(rows_SD.dtype) * weights_S1;
        _headGrad_VD ??= zeros(head_VD.shape, _wide, head_VD.device).MoveToOuterDisposeScope();
        var weighted_SD = rows_SD * weights_S1;
        if (compute == _wide)
        {
            _headGrad_VD.addmm_(grad_SV.transpose(0, 1), weighted_SD);
        }
        else
        {
            _headGrad_VD.add_(grad_SV.transpose(0, 1).mm(weighted_SD.to(compute)).to(_wide));
        }

        return (loss_S.MoveToOuterDisposeScope(), grad_SD.MoveToOuterDisposeScope());
    }
}
