using Hearth.Data;
using static TorchSharp.torch;

// B batch, T time, D model width, C classes.
namespace Hearth.Models.Blocks;

/// <summary>A classifier on the un-normed state of one row per text: W·RMSNorm(h[pos]) + b.</summary>
/// <param name="Weight">Of the cross entropy in the total.</param>
/// <param name="ClassWeighted">Whether rows count by their class.</param>
/// <param name="CalibrationWeight">Of the Brier score, which rewards probabilities that are right and not only large.</param>
public sealed record DecisionHeadConfig(int Dim, double NormEps, double Weight, bool ClassWeighted, double CalibrationWeight)
{
    public const int Classes = RowMetadata.Classes;

    /// <summary>Names of the head's terms in the loss.</summary>
    public const string DecisionTerm = "decision";
    public const string CalibrationTerm = "calibration";

    private const double LeastClassWeight = 0.25;
    private const double LargestClassWeight = 4;

    /// <summary>w_c = N/(C·N_c) within [0.25, 4] of counts over a whole training set; 4 for a class without rows.</summary>
    public static double[] ClassWeights(IReadOnlyList<long> counts)
    {
        double rows = counts.Sum();
        return [.. counts.Select(n => n == 0 ? LargestClassWeight : Math.Clamp(rows / (counts.Count * (double)n), LeastClassWeight, LargestClassWeight))];
    }

    /// <summary>Divisors of the head's weighted means over a whole batch, by term.</summary>
    public IReadOnlyDictionary<string, double> Totals(DecisionRows rows)
    {
        int[] counted = [.. rows.Labels.Where((label, b) => label is >= 0 and < Classes && rows.Positions[b] >= 0)];
        return new Dictionary<string, double>(StringComparer.Ordinal)
        {
            [DecisionTerm] = ClassWeighted ? counted.Sum(label => rows.ClassWeights[label]) : counted.Length,
            [CalibrationTerm] = counted.Length,
        };
    }

    public DecisionHead Build(Weights w) => new(this, w);
}

/// <param name="Decision">Σ w·CE over rows with a class.</param>
/// <param name="Weight">Σ w of those rows.</param>
/// <param name="Calibration">Σ of squared distances between probabilities and one-hot classes, 0 to 2 each.</param>
/// <param name="Rows">Their number.</param>
public sealed record DecisionSums(Tensor Decision, double Weight, Tensor Calibration, double Rows);

public sealed class DecisionHead(DecisionHeadConfig config, Weights w)
{
    private readonly Tensor _norm_D = w.Norm("norm", config.Dim);
    private readonly Tensor _weight_CD = w.Factor("w", DecisionHeadConfig.Classes, config.Dim, Init.Xavier());
    private readonly Tensor _bias_C = w.Vector("b", Init.Zeros, DecisionHeadConfig.Classes);

    /// <summary>Logits [B,C] in at least fp32.</summary>
    public Tensor Logits(Tensor text_BTD, RowExtras extras, ScalarType compute)
    {
        long batch = text_BTD.size(0), time = text_BTD.size(1);
        long[] places = [.. extras.PooledColumns(batch, time).Select((column, b) => (b * time) + column)];
        var pooled_BD = text_BTD.reshape(-1, config.Dim).index_select(0, tensor(places).to(text_BTD.device));
        return Functions.Linear(Functions.RmsNorm(pooled_BD, _norm_D, config.NormEps), _weight_CD, compute).to(_bias_C.dtype) + _bias_C;
    }

    /// <param name="text_BTD">Un-normed states.</param>
    /// <param name="extras">Where rows are pooled, and factors of classes.</param>
    /// <param name="targets">Class of each row; one outside the classes has no part in any sum.</param>
    /// <param name="compute">Type of the product.</param>
    public DecisionSums Losses(Tensor text_BTD, RowExtras extras, long[] targets, ScalarType compute)
    {
        var logits_BC = Logits(text_BTD, extras, compute);
        double[]? byClass = config.ClassWeighted ? extras.ClassWeight : null;
        double[] counted = [.. targets.Select(y => y is >= 0 and < DecisionHeadConfig.Classes ? 1.0 : 0)];
        double[] weights = [.. targets.Select((y, b) => counted[b] == 0 ? 0 : byClass?[y] ?? 1)];
        Tensor Rows(double[] values) => tensor(values).to(logits_BC.dtype).to(logits_BC.device);

        double[] oneHot = new double[targets.Length * DecisionHeadConfig.Classes];
        for (int b = 0; b < targets.Length; b++)
        {
            if (counted[b] > 0)
            {
                oneHot[(b * DecisionHeadConfig.Classes) + targets[b]] = 1;
            }
        }

        var target_BC = Rows(oneHot).view(targets.Length, DecisionHeadConfig.Classes);
        var losses_B = (logits_BC.log_softmax(-1) * target_BC).sum(-1) * -1.0;
        var brier_B = (logits_BC.softmax(-1) - target_BC).pow(2).sum(-1);
        return new DecisionSums((losses_B * Rows(weights)).sum(), weights.Sum(), (brier_B * Rows(counted)).sum(), counted.Sum());
    }
}
