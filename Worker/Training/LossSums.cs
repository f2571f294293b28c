namespace Hearth.Training;

/// <summary>One step's losses, summed over its micro-batches in order; each is weighted by its share of the global batch.</summary>
public sealed class LossSums
{
    /// <summary>What was differentiated: every term of the family.</summary>
    public double Total { get; private set; }

    /// <summary>Next-token loss alone, nats per token: what people compare.</summary>
    public double Main { get; private set; }

    public void Add(double total, double main, double share)
    {
        Total += total * share;
        Main += main * share;
    }
}
