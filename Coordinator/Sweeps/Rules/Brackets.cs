namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>
/// Rungs, and which a trial begins at. A sweep that halves has one bracket, whose trials begin at the first rung; Hyperband (Li et al., JMLR 2018) has one for each
/// rung, since it cannot be known how far a trial must be before its result tells something.
/// </summary>
public static class Brackets
{
    /// <summary>Steps at which trials wait for a decision: the first, η times as many, and so on; the run's last step always.</summary>
    /// <param name="first">Steps of the first rung; 0 = the run's last step is the only rung.</param>
    /// <param name="factor">η.</param>
    /// <param name="steps">Of a whole run.</param>
    public static IReadOnlyList<long> Rungs(long first, int factor, long steps)
    {
        var rungs = new List<long>();
        for (long rung = first; rung > 0 && rung < steps; rung *= factor)
        {
            rungs.Add(rung);
        }

        return [.. rungs, steps];
    }

    /// <summary>The bracket of each trial. Hyperband's shares, η^s/(s+1) for s halvings, are kept at every moment as well as whole trials can.</summary>
    /// <param name="trials">How many.</param>
    /// <param name="rungs">Number of rungs.</param>
    /// <param name="factor">η.</param>
    /// <param name="hyperband">False = every trial begins at the first rung.</param>
    public static IReadOnlyList<int> Assign(int trials, int rungs, int factor, bool hyperband)
    {
        double[] shares = [.. Enumerable.Range(0, hyperband ? rungs : 1).Select(b => Math.Pow(factor, rungs - 1 - b) / (rungs - b))];
        double all = shares.Sum();
        int[] given = new int[shares.Length];
        return [.. Enumerable.Range(0, trials).Select(n =>
        {
            int next = Enumerable.Range(0, shares.Length).MaxBy(b => (shares[b] / all * (n + 1)) - given[b]);
            given[next]++;
            return next;
        })];
    }
}
