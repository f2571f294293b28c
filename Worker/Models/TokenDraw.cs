namespace Hearth.Models;

/// <summary>How a token is chosen from logits: penalty, temperature, top-k, top-p, min-p, in this order.</summary>
/// <param name="Temperature">0 takes the likeliest; ties go to the lowest id.</param>
/// <param name="TopK">Keep the k likeliest; 0 keeps all.</param>
/// <param name="Exit">How a looped model stops early; null runs every token at full depth.</param>
public sealed record Sampling(double Temperature = 0, int TopK = 0, ulong Seed = 0, ExitOptions? Exit = null)
{
    /// <summary>Of those, keep the likeliest by the sum of their probabilities (<see cref="DecodingFeatures.TopPReaches"/>), the first in any case.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Of those, drop what is less likely than this share of the likeliest.</summary>
    public double MinP { get; init; }

    /// <summary>Positive logits of tokens that the text has are divided by it, others multiplied; 1 = none (Keskar et al., arXiv 1909.05858).</summary>
    public double RepetitionPenalty { get; init; } = 1;
}

/// <summary>
/// Draws the tokens of one text. Has its own generator, so that sampling never moves the training's, and knows the ids that the text
/// has where a penalty asks for them.
/// </summary>
public sealed class TokenDraw(Sampling how, DecodingFeatures features)
{
    private readonly HashSet<int> _present = [];
    private SplitMix64 _random = new(how.Seed);

    public Sampling How => how;

    /// <summary>Ids that the text has now.</summary>
    public void Fed(IEnumerable<int> ids)
    {
        if (how.RepetitionPenalty != 1)
        {
            _present.UnionWith(ids);
        }
    }

    /// <summary>One token from a row of logits.</summary>
    public int From(ReadOnlySpan<double> logits)
    {
        var bent = _present.Count == 0 ? logits : Penalized(logits);
        return how.Temperature <= 0 ? Sampler.Likeliest(bent) : Drawn(bent);
    }

    private double[] Penalized(ReadOnlySpan<double> logits)
    {
        double[] bent = logits.ToArray();
        foreach (int id in _present)
        {
            bent[id] = bent[id] > 0 ? bent[id] / how.RepetitionPenalty : bent[id] * how.RepetitionPenalty;
        }

        return bent;
    }

    private int Drawn(ReadOnlySpan<double> logits)
    {
        int[] order = new int[logits.Length];
        double[] weights = new double[logits.Length];
        for (int i = 0; i < order.Length; i++)
        {
            (order[i], weights[i]) = (i, -logits[i]);
        }

        Array.Sort(weights, order);
        double best = logits[order[0]], total = 0;
        int kept = how.TopK > 0 ? Math.Min(how.TopK, order.Length) : order.Length;
        for (int i = 0; i < kept; i++)
        {
            weights[i] = Math.Exp((logits[order[i]] - best) / how.Temperature);
            total += weights[i];
        }

        if (how.TopP < 1)
        {
            (kept, total) = Nucleus(weights.AsSpan(0, kept), how.TopP * total);
        }

        while (weights[kept - 1] < how.MinP * weights[0])
        {
            total -= weights[--kept];
        }

        double left = _random.NextUniform() * total;
        for (int i = 0; i < kept; i++)
        {
            left -= weights[i];
            if (left < 0)
            {
                return order[i];
            }
        }

        return order[kept - 1];
    }

    // The shortest prefix of falling weights that reaches the limit (Holtzman et al., arXiv 1904.09751), or the longest one within it.
    private (int Kept, double Total) Nucleus(ReadOnlySpan<double> weights, double limit)
    {
        double sum = weights[0];
        int kept = 1;
        while (kept < weights.Length && (features.TopPReaches ? sum < limit : sum + weights[kept] <= limit))
        {
            sum += weights[kept++];
        }

        return (kept, sum);
    }
}
