using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, D model width, N = rows of one head.
namespace Hearth.Models.Positronic;

/// <summary>
/// L = CE + z·mean logsumexp² + mtp·L_mtp + jepa·L_jepa + balance·L_lb. The further heads' losses are means over their own
/// targets, and their mean counts; the last two are means over micro-batches and exist in training only.
/// </summary>
public sealed partial class PositronicModel
{
    private const double EarlyShare = 0.7;
    private const string EngramInput = "engram_rows";

    public override IReadOnlyList<string> Terms { get; }

    /// <summary>The further heads' weight falls to a third for the last 30 % of a run (as DeepSeek-V3 lowers it).</summary>
    public override StepChoices Choose(TrainingStep step) => new PositronicChoices(step.TotalSteps > 0 && step.Step >= EarlyShare * step.TotalSteps);

    /// <summary>Counts of the terms in their order, then those of every head for further tokens.</summary>
    public override LossTotals Count(ReadOnlySpan<int> labels, int rowLength)
    {
        long[] heads = new long[_mtp.Length + 1];
        for (int i = 0; i < labels.Length; i++)
        {
            // The label at column c is the target of head k from row c − k − 1, where that row exists.
            for (int k = 0; labels[i] >= 0 && k < heads.Length && (i % rowLength) - k - 1 >= 0; k++)
            {
                heads[k]++;
            }
        }

        return new LossTotals([.. Terms.Select(name => name is "ce" or "z" ? heads[0] : 1), .. heads[1..]]);
    }

    /// <summary>Hashes of n-grams are taken on the host.</summary>
    protected override IEnumerable<(string Name, Tensor Value)> Make(LossInput input, TrainingStep step) =>
        _codes is null ? [] : [(EngramInput, EngramRows(input.Ids_BT, null))];

    /// <exception cref="ArgumentException">Rows of one token: there is nothing to predict.</exception>
    public override LossResult Loss(LossInput input)
    {
        var (ids_BT, labels_BT, totals) = input;
        if (ids_BT.size(1) < 2)
        {
            throw new ArgumentException($"a row of {ids_BT.size(1)} token has no target. Allowed: at least 2.", nameof(ids_BT));
        }

        var (hidden_BTD, routing) = Trunk(ids_BT, NewPass(ids_BT, 0, null, EmptyMemories(ids_BT.size(0)), writing: true, rows_BTK: input.Made.GetValueOrDefault(EngramInput)), input.Tape);
        var weights = Weights(input.Choices is PositronicChoices { Late: true });
        var heads = new HeadLoss(_embedding_VD, _compute);
        var states = new States(hidden_BTD, input.Tape);
        var (ce, z) = Add(heads, states, 0, labels_BT, 1.0 / Math.Max(1, totals.Counts[0]), weights["z"])!.Value;
        var sums = new Dictionary<string, Tensor>(StringComparer.Ordinal) { ["ce"] = ce, ["z"] = z };
        if (_mtp.Length > 0)
        {
            sums["mtp"] = FurtherLoss(heads, states, labels_BT, totals, weights["mtp"]);
        }

        var total = heads.Total();
        foreach (var (name, value) in Means(input.Choices is not null, states, routing))
        {
            total = total + (value * (weights[name] / totals.MicroBatches));
            sums[name] = value.detach() / (double)totals.MicroBatches;
        }

        return new LossResult(total, [.. Terms.Select(name => new LossTerm(name, sums.GetValueOrDefault(name) ?? zeros([], _wide, Device), weights[name]))]);
    }

    private static IEnumerable<string> ListTerms(PositronicConfig config) =>
        ["ce", "z", .. config.UseMtp ? (string[])["mtp"] : [], .. config.UseJepa ? (string[])["jepa"] : [], .. config.UseMoe ? (string[])["balance"] : []];

    private Dictionary<string, double> Weights(bool late) => new(StringComparer.Ordinal)
    {
        ["ce"] = 1,
        ["z"] = _config.ZWeight,
        ["mtp"] = late ? _config.MtpWeight / 3 : _config.MtpWeight,
        ["jepa"] = _config.JepaWeight,
        ["balance"] = _config.BalanceWeight,
    };

    // Only training has them: they shape the weights and say nothing of a text.
    private IEnumerable<(string Name, Tensor Value)> Means(bool training, States states, Routing? routing)
    {
        if (!training)
        {
            yield break;
        }

        if (_jepa is not null)
        {
            yield return ("jepa", states.Tape.Run(states.Hidden_BTD, hidden_BTD => _jepa.Loss(hidden_BTD, _wide, _compute)));
        }

        if (routing is not null)
        {
            yield return ("balance", Experts.LoadBalance(routing));
        }
    }

    private Tensor FurtherLoss(HeadLoss heads, States states, Tensor labels_BT, LossTotals totals, double weight)
    {
        var mean = zeros([], _wide, Device);
        for (int k = 1; k <= _mtp.Length; k++)
        {
            double share = 1.0 / _mtp.Length / Math.Max(1, totals.Counts[Terms.Count + k - 1]);
            if (Add(heads, states, k, labels_BT, weight * share, null) is { } added)
            {
                mean = mean + (added.Ce * share);
            }
        }

        return mean;
    }

    // Head k over the rows that have a target in so short a row; null where none has.
    private (Tensor Ce, Tensor Z)? Add(HeadLoss heads, States states, int k, Tensor labels_BT, double factor, double? z)
    {
        long targets = labels_BT.size(1) - k - 1;
        if (targets < 1)
        {
            return null;
        }

        var read_ND = states.Tape.Run(states.Hidden_BTD, hidden_BTD =>
        {
            var rows_BTD = hidden_BTD.narrow(1, 0, targets);
            return ((k == 0 ? rows_BTD : Further(rows_BTD, k)) * _scale).reshape(-1, _config.DModel);
        });
        return heads.Add(read_ND, labels_BT.narrow(1, k + 1, targets).reshape(-1), factor, z);
    }

    /// <param name="Late">The heads for further tokens count a third.</param>
    private sealed record PositronicChoices(bool Late) : StepChoices;

    /// <summary>What the heads read, and what runs them.</summary>
    private sealed record States(Tensor Hidden_BTD, BlockTape Tape);
}
