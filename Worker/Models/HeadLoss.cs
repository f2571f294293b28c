using static TorchSharp.torch;

// N rows, S rows of a slice, D model width, V vocabulary.
namespace Hearth.Models;

/// <summary>
/// Head and cross entropy in one: logits exist for <see cref="SliceRows"/> rows at a time, and their gradient
/// (softmax − one-hot) is used while they do, so memory does not grow with rows × vocabulary × heads.
/// <see cref="Naive"/> is the same in plain operators.
/// </summary>
/// <param name="head_VD">The head's weight.</param>
/// <param name="compute">Type of the matrix products.</param>
/// <param name="softcap">C bends logits to C·tanh(z/C), whose derivative is 1 − tanh²; 0 is off.</param>
public sealed partial class HeadLoss(Tensor head_VD, ScalarType compute, double softcap = 0)
{
    /// <summary>Rows whose logits exist together, where the loss is made of plain operators.</summary>
    public const int SliceRows = 512;

    private readonly bool _graph = is_grad_enabled();

    // Of the head's gradient while slices add to it.
    private readonly ScalarType _wide = head_VD.dtype == float64 ? float64 : float32;
    private Tensor? _headGrad_VD;
    private Tensor? _value;
    private Tensor? _surrogate;

    /// <summary>Adds factor · Σ CE over rows whose label is not −100.</summary>
    /// <returns>The unweighted sum, detached.</returns>
    public Tensor Add(Tensor rows_ND, Tensor labels_N, double factor) => Add(rows_ND, labels_N, factor, null).Ce;

    /// <summary>Adds factor · (Σ CE + z · Σ logsumexp²) over rows whose label is not −100 (z-loss: PaLM, arXiv 2204.02311 §5).</summary>
    /// <returns>Both unweighted sums, detached; the second is not taken and 0 where <paramref name="z"/> is null.</returns>
    public (Tensor Ce, Tensor Z) Add(Tensor rows_ND, Tensor labels_N, double factor, double? z)
    {
        long rows = rows_ND.size(0);
        var frozen_ND = rows_ND.detach();
        var gradients = new List<Tensor>();
        Tensor? sum = null, squares = null;
        using (no_grad())
        {
            long most = RowsAtOnce;
            for (long first = 0; first < rows; first += most)
            {
                long count = Math.Min(most, rows - first);
                var (rows_SD, labels_S) = (frozen_ND.narrow(0, first, count), labels_N.narrow(0, first, count));
                var (part, square, grad_SD) = _fused ? FusedSlice(rows_SD, labels_S, factor, z ?? 0) : Slice(rows_SD, labels_S, factor, z);
                sum = sum is null ? part : sum + part;
                squares = squares is null ? square : squares + square;
                gradients.Add(grad_SD);
            }
        }

        var weighted = z is { } share and not 0 ? (sum! + (squares! * share)) * factor : sum! * factor;
        _value = _value is null ? weighted : _value + weighted;
        if (_graph)
        {
            var part = Along(rows_ND, gradients);
            _surrogate = _surrogate is null ? part : _surrogate + part;
        }

        return (sum!, squares!);
    }

    // Σ rows·gradient. Of what it is made of only the rows and one whole gradient stay.
    private static Tensor Along(Tensor rows_ND, List<Tensor> gradients)
    {
        using var scope = NewDisposeScope();
        var part = (rows_ND * cat(gradients)).sum();
        foreach (var slice in gradients)
        {
            slice.Dispose();
        }

        return part.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The weighted total. Its value is the loss, its gradient that of Σ rows·∂rows + Σ head·∂head with the derivatives held
    /// constant, which is the loss's own.
    /// </summary>
    public Tensor Total()
    {
        var value = _value ?? throw new InvalidOperationException("no rows were added");
        if (!_graph)
        {
            return value;
        }

        var surrogate = _surrogate! + (head_VD * _headGrad_VD!.narrow(0, 0, head_VD.size(0))).sum();
        return value + (surrogate - surrogate.detach());
    }

    /// <summary>Sum of cross entropies, every logit at once, by autograd.</summary>
    public static Tensor Naive(Tensor rows_ND, Tensor labels_N, Tensor head_VD, ScalarType compute, double softcap = 0) =>
        Functions.CrossEntropySum(Functions.Softcap(Functions.Linear(rows_ND, head_VD, compute), softcap), labels_N);

    private (Tensor Sum, Tensor Squares, Tensor Grad_SD) Slice(Tensor rows_SD, Tensor labels_S, double factor, double? z)
    {
        using var scope = NewDisposeScope();
        var narrow_SD = rows_SD.to(compute);
        var logits_SV = nn.functional.linear(narrow_SD, head_VD.to(compute));
        var wide_SV = logits_SV.dtype == float64 ? logits_SV : logits_SV.to(float32);
        var bent_SV = softcap > 0 ? (wide_SV / softcap).tanh() : null;
        wide_SV = bent_SV is null ? wide_SV : bent_SV * softcap;
        var logp_SV = wide_SV.log_softmax(-1);
        var lse_S1 = z is null ? null : wide_SV.logsumexp(-1, true);
        var index_S1 = labels_S.clamp(min: 0).unsqueeze(1);
        var sum = logp_SV.gather(1, index_S1).view(-1).masked_fill(labels_S.lt(0), 0).sum() * -1.0;
        var squares = lse_S1 is null ? zeros([], sum.dtype, sum.device) : lse_S1.pow(2).view(-1).masked_fill(labels_S.lt(0), 0).sum();
        if (!_graph)
        {
            return (sum.MoveToOuterDisposeScope(), squares.MoveToOuterDisposeScope(), sum);
        }

        // Uncounted rows and the factor go on the narrow side [S,D], not on [S,V].
        var weight_S1 = full([rows_SD.size(0)], factor, rows_SD.dtype, rows_SD.device).masked_fill(labels_S.lt(0), 0).unsqueeze(1);
        var grad_SV = z is { } share and not 0 ? logp_SV.exp() * ((lse_S1! * (2 * share)) + 1) : logp_SV.exp();
        grad_SV.scatter_add_(1, index_S1, full([rows_SD.size(0), 1], -1, grad_SV.dtype, grad_SV.device));
        if (bent_SV is not null)
        {
            grad_SV = grad_SV * ((bent_SV.pow(2) * -1.0) + 1);
        }

        grad_SV = grad_SV.to(compute);
        var grad_SD = grad_SV.mm(head_VD.to(compute)).to(rows_SD.dtype) * weight_S1;
        _headGrad_VD ??= zeros(head_VD.shape, _wide, head_VD.device).MoveToOuterDisposeScope();
        if (compute == _wide)
        {
            _headGrad_VD.addmm_(grad_SV.transpose(0, 1), rows_SD * weight_S1);
        }
        else
        {
            var counted_SD = narrow_SD.masked_fill(labels_S.lt(0).unsqueeze(1), 0);
            _headGrad_VD.add_(grad_SV.transpose(0, 1).mm(counted_SD).to(_wide), factor);
        }

        return (sum.MoveToOuterDisposeScope(), squares.MoveToOuterDisposeScope(), grad_SD.MoveToOuterDisposeScope());
    }
}
