using static TorchSharp.torch;

// B batch, T time, D model width, N rows.
namespace Hearth.Models.Blocks;

/// <summary>
/// L = CE + w/(K−1)·Σ CE_k + balance·L_lb + z·L_z + decision + calibration. Cross entropies are means over their own targets, the
/// routers' losses over routers and micro-batches (training only), the decision's over the rows whose metadata names one.
/// </summary>
public sealed partial class Decoder
{
    private const int Ignored = -100;

    public override IReadOnlyList<string> Terms { get; }

    public override IReadOnlyList<string> EvaluationTerms =>
        _config.Decision is null ? [] : [DecisionHeadConfig.DecisionTerm, DecisionHeadConfig.CalibrationTerm];

    public override LossTotals Count(ReadOnlySpan<int> labels, int rowLength) => Count(labels, [], rowLength);

    public override LossTotals Count(TrainingRows rows)
    {
        var totals = Count(rows.Labels, rows.Documents, rows.Length);
        return _config.Decision is { } head && rows.Decisions is { } decisions ? totals with { Weights = head.Totals(decisions) } : totals;
    }

    // Documents may be none; else a target of another document than its row's does not count.
    private LossTotals Count(ReadOnlySpan<int> labels, ReadOnlySpan<int> documents, int rowLength)
    {
        long[] counts = [.. Terms.Select((_, i) => i <= _mtp.Length ? 0L : 1L)];
        for (int i = 0; i < labels.Length; i++)
        {
            // The label at column c is the target of head k from row c − k − 1, where that row exists.
            for (int k = 0; labels[i] >= 0 && k <= _mtp.Length && (i % rowLength) - k - 1 >= 0; k++)
            {
                counts[k] += documents.IsEmpty || documents[i] == documents[i - k - 1] ? 1 : 0;
            }
        }

        return new LossTotals(counts);
    }

    /// <exception cref="ArgumentException">Rows of one token: there is nothing to predict.</exception>
    public override LossResult Loss(LossInput input)
    {
        var (ids_BT, labels_BT, totals) = input;
        if (ids_BT.size(1) < 2)
        {
            throw new ArgumentException($"a row of {ids_BT.size(1)} token has no target. Allowed: at least 2.", nameof(ids_BT));
        }

        var extras = new RowExtras(input.Extras);
        var pass = Read(ids_BT, extras, training: input.Choices is not null, input.Tape);
        var sums = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        var loss = new HeadLoss(_head_VD, _compute);
        int k = 0;
        foreach (var hidden_BTD in Heads(ids_BT, pass))
        {
            long targets = labels_BT.size(1) - k - 1;
            if (targets > 0)
            {
                var rows_ND = hidden_BTD.narrow(1, 0, targets).reshape(-1, _config.Dim);
                var labels_N = Targets(labels_BT, pass.Layout?.Documents_BT, k).reshape(-1);
                sums[Terms[k]] = loss.Add(rows_ND, labels_N, _weights[k].Weight / Math.Max(1, totals.Counts[k]));
            }

            k++;
        }

        var total = loss.Total();
        foreach (var (name, value, share) in Means(pass, extras, input))
        {
            double weight = _weights.First(t => t.Name == name).Weight;
            total = weight == 0 ? total : total + (value * (weight * share));
            sums[name] = value.detach() * share;
        }

        // Heads that reach past the end of so short a row have no target; routers count in training only.
        return new LossResult(total, [.. _weights.Select(t => new LossTerm(t.Name, sums.GetValueOrDefault(t.Name) ?? zeros([], Dtype, Device), t.Weight))]);
    }

    // The target of row t of head k is the label k + 1 columns on, where that is of row t's document.
    private static Tensor Targets(Tensor labels_BT, Tensor? documents_BT, int k)
    {
        long targets = labels_BT.size(1) - k - 1;
        var ahead_BN = labels_BT.narrow(1, k + 1, targets);
        return documents_BT is null
            ? ahead_BN
            : ahead_BN.masked_fill(documents_BT.narrow(1, k + 1, targets).eq(documents_BT.narrow(1, 0, targets)).eq(0), Ignored);
    }

    private (string Name, double Weight)[] ListTerms() =>
    [
        ("ce", 1.0),
        .. _mtp.Select((_, i) => ($"mtp.{i + 1}", _config.Mtp.Weight / _mtp.Length)),
        .. _config.Routers is { } routers ? [("lb", routers.Balance), ("z", routers.Z)] : Array.Empty<(string, double)>(),
        .. _config.Decision is { } decision ? [(DecisionHeadConfig.DecisionTerm, decision.Weight), (DecisionHeadConfig.CalibrationTerm, decision.CalibrationWeight)] : Array.Empty<(string, double)>(),
    ];

    // Terms beside the cross entropies, each with this micro-batch's share of the whole batch's mean.
    private IEnumerable<(string Name, Tensor Value, double Share)> Means(TrunkPass pass, RowExtras extras, LossInput input)
    {
        if (_config.Routers is not null && input.Choices is not null)
        {
            double share = 1.0 / input.Totals.MicroBatches;
            yield return ("lb", pass.Routers.LoadBalance(), share);
            yield return ("z", pass.Routers.RouterZ(), share);
        }

        if (_decision is not null && extras.DecisionTargets(pass.Text_BTD.size(0)) is { } targets)
        {
            var sums = _decision.Losses(pass.Text_BTD, extras, targets, _compute);
            yield return (DecisionHeadConfig.DecisionTerm, sums.Decision, Share(DecisionHeadConfig.DecisionTerm, sums.Weight, input.Totals));
            yield return (DecisionHeadConfig.CalibrationTerm, sums.Calibration, Share(DecisionHeadConfig.CalibrationTerm, sums.Rows, input.Totals));
        }
    }

    // A batch in one piece needs no totals of its own.
    private static double Share(string term, double own, LossTotals totals)
    {
        double whole = totals.Weights.GetValueOrDefault(term, own);
        return whole > 0 ? 1 / whole : 0;
    }
}
