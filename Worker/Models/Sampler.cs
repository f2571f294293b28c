using static TorchSharp.torch;

namespace Hearth.Models;

/// <summary>How a token is chosen from logits.</summary>
/// <param name="Temperature">0 takes the likeliest; ties go to the lowest id.</param>
/// <param name="TopK">Keep the k likeliest; 0 keeps all.</param>
/// <param name="Exit">How a looped model stops early; null runs every token at full depth.</param>
public sealed record Sampling(double Temperature = 0, int TopK = 0, ulong Seed = 0, ExitOptions? Exit = null)
{
    /// <summary>Keep the likeliest tokens whose probabilities add up to at most this, the first in any case; applied after <see cref="TopK"/>.</summary>
    public double TopP { get; init; } = 1;
}

/// <param name="LoopStep">The zero-based loop step that the token came from; null when nothing stops early.</param>
public readonly record struct SampledToken(int Token, int? LoopStep);

/// <summary>Streams tokens from a decoding session. Has its own generator: sampling never moves the training's.</summary>
public static class Sampler
{
    /// <param name="model">The model.</param>
    /// <param name="prompt">At least one id.</param>
    /// <param name="maxTokens">At most so many new ids; fewer where the model's longest text ends.</param>
    /// <param name="how">Choice of tokens.</param>
    public static IEnumerable<int> Generate(LanguageModel model, IReadOnlyList<int> prompt, int maxTokens, Sampling how) =>
        GenerateSteps(model, prompt, maxTokens, how).Select(t => t.Token);

    /// <summary><see cref="Generate"/> with the loop step of each token.</summary>
    public static IEnumerable<SampledToken> GenerateSteps(LanguageModel model, IReadOnlyList<int> prompt, int maxTokens, Sampling how)
    {
        int longest = model.Plan.MaxSeqLen;
        int[] ids = Fitting(prompt, maxTokens, longest);
        ulong state = how.Seed;
        using var session = Start(model, how);
        for (int n = 0, length = ids.Length; n < maxTokens && length < longest; n++, length++)
        {
            var next = Next(model, session, ids, how, ref state);
            yield return next;
            ids = [next.Token];
        }
    }

    /// <summary>Feeds ids to a session and chooses what follows them.</summary>
    /// <param name="model">The session's model.</param>
    /// <param name="session">Takes the ids.</param>
    /// <param name="ids">At least one.</param>
    /// <param name="how">Choice of the token.</param>
    /// <param name="state">Of the generator; starts at the seed.</param>
    public static SampledToken Next(LanguageModel model, IDecodeSession session, int[] ids, Sampling how, ref ulong state) =>
        Next(model, session, ids, how, ref state, out _);

    /// <summary>As <see cref="Next(LanguageModel, IDecodeSession, int[], Sampling, ref ulong)"/>, with the logits [V] that it was chosen from.</summary>
    public static SampledToken Next(LanguageModel model, IDecodeSession session, int[] ids, Sampling how, ref ulong state, out double[] logits)
    {
        logits = LastRow(model, session, ids, how.Exit is not null);
        int next = Choose(logits, how, ref state);
        return new SampledToken(next, how.Exit is null ? null : (session as IExitSession)?.LoopSteps[0]);
    }

    /// <summary>A session that leaves a loop as <paramref name="how"/> says, where the model has one.</summary>
    public static IDecodeSession Start(LanguageModel model, Sampling how) =>
        how.Exit is { } exit && model is IEarlyExit looped ? looped.StartDecode(exit) : model.StartDecode();

    /// <summary>The end of a prompt that leaves room for the new tokens, at least half of the longest text.</summary>
    public static int[] Fitting(IReadOnlyList<int> prompt, int maxTokens, int longest)
    {
        int room = Math.Max(1, longest - Math.Min(maxTokens, longest / 2));
        return [.. prompt.Count > room ? prompt.Skip(prompt.Count - room) : prompt];
    }

    /// <summary>The likeliest token of a row of logits [V], in their own precision; of equals the lowest id.</summary>
    public static int Likeliest(Tensor logits_V) => Likeliest(logits_V.ToArray<double>());

    /// <summary>One token from a row of logits.</summary>
    public static int Choose(ReadOnlySpan<double> logits, Sampling how, ref ulong state)
    {
        int best = Likeliest(logits);
        if (how.Temperature <= 0)
        {
            return best;
        }

        int[] order = new int[logits.Length];
        double[] keys = new double[logits.Length];
        for (int i = 0; i < order.Length; i++)
        {
            (order[i], keys[i]) = (i, -logits[i]);
        }

        Array.Sort(keys, order);
        int kept = how.TopK > 0 ? Math.Min(how.TopK, order.Length) : order.Length;
        double total = 0;
        for (int i = 0; i < kept; i++)
        {
            keys[i] = Math.Exp((logits[order[i]] - logits[best]) / how.Temperature);
            total += keys[i];
        }

        if (how.TopP < 1)
        {
            (kept, total) = Nucleus(keys.AsSpan(0, kept), how.TopP * total);
        }

        double left = NextUniform(ref state) * total;
        for (int i = 0; i < kept; i++)
        {
            left -= keys[i];
            if (left < 0)
            {
                return order[i];
            }
        }

        return order[kept - 1];
    }

    /// <summary>The likeliest token; of equals the lowest id.</summary>
    public static int Likeliest(ReadOnlySpan<double> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            best = logits[i] > logits[best] ? i : best;
        }

        return best;
    }

    /// <summary>The likeliest tokens of a row of logits and their probabilities, by softmax; of equals the lowest id first.</summary>
    public static IReadOnlyList<(int Token, double Probability)> Likeliest(ReadOnlySpan<double> logits, int count)
    {
        // Kept in order while the row passes by: for the few that are asked for this is cheaper than a sort.
        var kept = new List<(int Token, double Logit)>(count + 1);
        double best = logits[Likeliest(logits)], total = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            total += Math.Exp(logits[i] - best);
            if (kept.Count == count && !(count > 0 && logits[i] > kept[^1].Logit))
            {
                continue;
            }

            int at = kept.Count;
            while (at > 0 && logits[i] > kept[at - 1].Logit)
            {
                at--;
            }

            kept.Insert(at, (i, logits[i]));
            if (kept.Count > count)
            {
                kept.RemoveAt(count);
            }
        }

        return [.. kept.Select(k => (k.Token, Math.Exp(k.Logit - best) / total))];
    }

    // The longest prefix of falling weights whose sum is within the limit, at least one weight (Holtzman et al., arXiv 1904.09751).
    private static (int Kept, double Total) Nucleus(ReadOnlySpan<double> weights, double limit)
    {
        double sum = weights[0];
        int kept = 1;
        while (kept < weights.Length && sum + weights[kept] <= limit)
        {
            sum += weights[kept++];
        }

        return (kept, sum);
    }

    private static double[] LastRow(LanguageModel model, IDecodeSession session, int[] ids, bool early)
    {
        using var scope = NewDisposeScope();
        long[] wide = Array.ConvertAll(ids, id => (long)id);
        var ids_1T = tensor(wide, 1, wide.Length).to(model.Device);
        return early && session is IExitSession stopping
            ? stopping.Emit(ids_1T).flatten().ToArray<double>()
            : session.Step(ids_1T).select(1, ids.Length - 1).flatten().ToArray<double>();
    }

    // SplitMix64 (Steele, Lea, Flood 2014): one 64-bit state, the same on every machine.
    private static double NextUniform(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
