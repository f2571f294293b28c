namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>A trial that goes on to the next rung.</summary>
/// <param name="Trial">Number of the trial.</param>
/// <param name="Rank">Its place at that moment, from 1.</param>
/// <param name="Of">Trials whose results were compared.</param>
/// <param name="Best">How many of them went on.</param>
public sealed record Promotion(int Trial, int Rank, int Of, int Best);

/// <summary>How a rung of a bracket stands.</summary>
/// <param name="Entrants">Trials that may come to it so far, in their order.</param>
/// <param name="Promotions">Those that go on, in the order in which they were found to.</param>
/// <param name="IsClosed">No trial will come to it any more, and all have their results.</param>
public sealed record RungStanding(IReadOnlyList<int> Entrants, IReadOnlyList<Promotion> Promotions, bool IsClosed);

/// <summary>
/// Successive halving without waiting for a whole rung (ASHA: Li et al., arXiv 1810.05934): whoever is among the best 1/η of those that have a result
/// goes on. Here results are taken in the order of the trials, not of the clock: a result counts once those of all trials before it are there. So who goes on
/// is a function of the trials' results alone, in whatever order, on however many devices they came.
/// </summary>
public static class Ladder
{
    /// <summary>Who goes on from a rung.</summary>
    /// <param name="entrants">Trials in their order, each with its result, the less the better; null = not yet there, positive infinity = failed.</param>
    /// <param name="factor">η: one of so many goes on.</param>
    public static IReadOnlyList<Promotion> Promote(IReadOnlyList<(int Trial, double? Result)> entrants, int factor)
    {
        var ranked = new List<(double Result, int Order, int Trial)>();
        var promoted = new HashSet<int>();
        var promotions = new List<Promotion>();
        foreach (var (order, (trial, given)) in entrants.Index())
        {
            if (given is not { } result)
            {
                break;
            }

            var own = (result, order, trial);
            ranked.Insert(~ranked.BinarySearch(own), own);
            int best = ranked.Count / factor;
            for (int rank = 0; rank < best; rank++)
            {
                if (double.IsFinite(ranked[rank].Result) && promoted.Add(ranked[rank].Trial))
                {
                    promotions.Add(new Promotion(ranked[rank].Trial, rank + 1, ranked.Count, best));
                }
            }
        }

        return promotions;
    }

    /// <summary>Every rung of one bracket but the last, from which nobody goes on.</summary>
    /// <param name="trials">Of the bracket, by number.</param>
    /// <param name="complete">No more trials come to the bracket.</param>
    /// <param name="rungs">Number of rungs, the last included.</param>
    /// <param name="factor">η.</param>
    /// <param name="result">Of a trial at a rung, counted from the bracket's first.</param>
    public static IReadOnlyList<RungStanding> Stand(IReadOnlyList<int> trials, bool complete, int rungs, int factor, Func<int, int, double?> result)
    {
        var standings = new List<RungStanding>();
        for (int rung = 0; rung < rungs; rung++)
        {
            (int Trial, double? Result)[] entrants = [.. trials.Select(t => (t, result(t, rung)))];
            var promotions = rung < rungs - 1 ? Promote(entrants, factor) : [];
            complete = complete && entrants.All(e => e.Result is not null);
            standings.Add(new RungStanding(trials, promotions, complete));
            trials = [.. promotions.Select(p => p.Trial)];
        }

        return standings;
    }
}
