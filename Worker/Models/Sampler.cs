using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Models;

/// <param name="LoopStep">The zero-based loop step that the token came from; null when nothing stops early.</param>
public readonly record struct SampledToken(int Token, int? LoopStep);

/// <summary>Streams tokens from a decoding session.</summary>
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
        var draw = new TokenDraw(how, model.Plan.Decoding);
        using var session = Start(model, how);
        for (int n = 0, length = ids.Length; n < maxTokens && length < longest; n++, length++)
        {
            var next = Next(model, session, ids, draw);
            yield return next;
            ids = [next.Token];
        }
    }

    /// <summary>Feeds ids to a session and chooses what follows them.</summary>
    /// <param name="model">The session's model.</param>
    /// <param name="session">Takes the ids.</param>
    /// <param name="ids">At least one.</param>
    /// <param name="draw">Chooses the token; belongs to this text.</param>
    public static SampledToken Next(LanguageModel model, IDecodeSession session, int[] ids, TokenDraw draw) => Next(model, session, ids, draw, out _);

    /// <summary>As <see cref="Next(LanguageModel, IDecodeSession, int[], TokenDraw)"/>, with the logits [V] that it was chosen from.</summary>
    public static SampledToken Next(LanguageModel model, IDecodeSession session, int[] ids, TokenDraw draw, out double[] logits)
    {
        bool early = draw.How.Exit is not null;
        draw.Fed(ids);
        logits = LastRow(model, session, ids, early);
        int next = draw.From(logits);
        return new SampledToken(next, early ? (session as IExitSession)?.LoopSteps[0] : null);
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
    public static int Likeliest(Tensor logits_V) => Likeliest(logits_V.HostArray<double>());

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

    private static double[] LastRow(LanguageModel model, IDecodeSession session, int[] ids, bool early)
    {
        using var scope = NewDisposeScope();
        long[] wide = Array.ConvertAll(ids, id => (long)id);
        var ids_1T = tensor(wide, 1, wide.Length).to(model.Device);
        return early && session is IExitSession stopping
            ? stopping.Emit(ids_1T).flatten().HostArray<double>()
            : session.Step(ids_1T).select(1, ids.Length - 1).flatten().HostArray<double>();
    }
}
