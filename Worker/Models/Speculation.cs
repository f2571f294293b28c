using Hearth.Kernels;
using static TorchSharp.torch;

// T rows of a block, V vocabulary.
namespace Hearth.Models;

/// <summary>A decoding session of one text that can propose tokens and take rows back.</summary>
public interface ISpeculativeSession : IDecodeSession
{
    /// <summary>Most tokens that <see cref="Draft"/> proposes; 0 = it cannot.</summary>
    int MaxDrafts { get; }

    /// <summary>Largest lead of one logit over another that rounding may turn round between a block and a single row.</summary>
    double Margin => Speculation.Fp32Margin;

    /// <summary>Feeds T ids after the committed rows; logits [1,count,V] of the last <paramref name="count"/> of them.</summary>
    Tensor Feed(IReadOnlyList<int> ids, int count);

    /// <summary>Makes the first <paramref name="rows"/> rows of the fed block part of the text and takes the others back.</summary>
    void Commit(int rows);

    /// <summary>What may follow <paramref name="next"/>, which the main head chose at this row of the fed block; before its commit.</summary>
    IReadOnlyList<int> Draft(int row, int next, int count);
}

/// <summary>How far drafts carried.</summary>
/// <param name="Rounds">Blocks that were verified.</param>
/// <param name="Drafted">Proposed tokens in them.</param>
/// <param name="Tokens">Ids that the rounds gave: what the main head chose, drafts that it agreed with among them.</param>
public readonly record struct SpeculationStats(int Rounds, int Drafted, int Tokens)
{
    /// <summary>Ids per forward pass of the model; 1 is plain decoding.</summary>
    public double AcceptanceLength => Rounds == 0 ? 0 : (double)Tokens / Rounds;
}

/// <summary>One token of speculative decoding.</summary>
/// <param name="Token">What the main head chose.</param>
/// <param name="Drafted">A head had proposed it.</param>
/// <param name="Refused">What a head had proposed in its place; null = nothing, or the same.</param>
/// <param name="Logits">The row [V] that it was chosen from.</param>
public readonly record struct DraftedToken(int Token, bool Drafted, int? Refused, ReadOnlyMemory<double> Logits);

/// <summary>
/// Self-speculative greedy decoding (Stern et al., arXiv 1811.03115): heads for further tokens draft, the main head verifies the whole
/// block at once and keeps the longest prefix that it would have chosen itself. The text is that of plain greedy decoding.
/// </summary>
/// <param name="margin">
/// Two leading logits nearer than this may swap between a block and a single row, so such a row is decided by a single-row step;
/// null = the session's own.
/// </param>
public sealed class Speculation(double? margin = null)
{
    public const double Fp32Margin = 1e-5;

    public SpeculationStats Stats { get; private set; }

    /// <summary>As <see cref="Sampler.Generate"/> at temperature 0, in fewer forward passes.</summary>
    /// <exception cref="ArgumentException">The model has no heads that draft.</exception>
    public IEnumerable<int> Generate(LanguageModel model, IReadOnlyList<int> prompt, int maxTokens, IReadOnlySet<int>? stopIds = null)
    {
        using var decoding = model.StartDecode();
        var session = decoding as ISpeculativeSession ?? throw new ArgumentException($"{model.Plan.Title} cannot draft tokens.", nameof(model));
        int longest = model.Plan.MaxSeqLen;
        foreach (int id in Generate(session, Sampler.Fitting(prompt, maxTokens, longest), maxTokens, longest, stopIds))
        {
            yield return id;
        }
    }

    /// <summary>At most <paramref name="maxTokens"/> ids after a prompt; a stop id is the last that is given.</summary>
    /// <remarks>When it ends, the prompt and every given id but the last have been fed to <paramref name="session"/>.</remarks>
    /// <param name="session">A fresh session; the caller disposes of it.</param>
    /// <param name="prompt">At least one id.</param>
    /// <param name="maxTokens">At least 1.</param>
    /// <param name="longest">Most tokens that the model reads.</param>
    /// <param name="stopIds">Ids that end the text.</param>
    public IEnumerable<int> Generate(ISpeculativeSession session, IReadOnlyList<int> prompt, int maxTokens, int longest, IReadOnlySet<int>? stopIds = null) =>
        GenerateSteps(session, prompt, maxTokens, longest, stopIds).Select(t => t.Token);

    /// <summary><see cref="Generate(ISpeculativeSession, IReadOnlyList{int}, int, int, IReadOnlySet{int}?)"/> with what the drafts were.</summary>
    public IEnumerable<DraftedToken> GenerateSteps(ISpeculativeSession session, IReadOnlyList<int> prompt, int maxTokens, int longest, IReadOnlySet<int>? stopIds = null)
    {
        Stats = default;
        int length = prompt.Count, given = 0;
        bool Ends(int id) => stopIds?.Contains(id) == true;

        var verdict = Verify(session, prompt, 1);
        int next = verdict.Chosen[0];
        var drafts = session.Draft(prompt.Count - 1, next, session.MaxDrafts);
        session.Commit(prompt.Count);
        given++;
        yield return new DraftedToken(next, false, null, verdict.Row(0));
        while (!Ends(next) && given < maxTokens && length + 1 < longest)
        {
            // A block of m drafts gives at most m + 1 ids.
            int room = Math.Min(maxTokens - given, longest - length - 1);
            int[] block = [next, .. drafts.Take(room - 1)];
            verdict = Verify(session, block, block.Length);
            int agreed = Agreed(block, verdict.Chosen, Ends);

            // The first row with too small a lead ends the round before it and stands alone in the next one; alone it counts.
            bool unsure = block.Length > 1 && verdict.FirstUnsure < agreed;
            int decided = unsure ? verdict.FirstUnsure : agreed;
            drafts = unsure ? [] : session.Draft(decided - 1, verdict.Chosen[decided - 1], session.MaxDrafts);
            session.Commit(decided);
            length += decided;
            Stats = new SpeculationStats(Stats.Rounds + 1, Stats.Drafted + block.Length - 1, Stats.Tokens + decided);
            for (int i = 0; i < decided; i++, given++)
            {
                next = verdict.Chosen[i];
                int? draft = i + 1 < block.Length ? block[i + 1] : null;
                yield return new DraftedToken(next, draft == next, draft == next ? null : draft, verdict.Row(i));
            }
        }
    }

    // Rows of the block that hold only ids which the row before chose, up to a stop id: at least the first.
    private static int Agreed(int[] block, int[] chosen, Func<int, bool> ends)
    {
        int rows = 1;
        while (rows < block.Length && block[rows] == chosen[rows - 1] && !ends(block[rows]))
        {
            rows++;
        }

        return rows;
    }

    // The likeliest id of every read row, and the first row whose lead is within the margin (their number where none is).
    private Verdict Verify(ISpeculativeSession session, IReadOnlyList<int> ids, int count)
    {
        using var scope = NewDisposeScope();
        double[] logits = session.Feed(ids, count).HostArray<double>();
        int vocabulary = logits.Length / count, unsure = count;
        int[] chosen = new int[count];
        for (int t = 0; t < count; t++)
        {
            var row = logits.AsSpan(t * vocabulary, vocabulary);
            chosen[t] = Sampler.Likeliest(row);
            if (unsure == count && Lead(row, chosen[t]) < (margin ?? session.Margin))
            {
                unsure = t;
            }
        }

        return new Verdict(chosen, unsure, logits);
    }

    private static double Lead(ReadOnlySpan<double> logits, int best)
    {
        double second = double.NegativeInfinity;
        for (int i = 0; i < logits.Length; i++)
        {
            second = i != best && logits[i] > second ? logits[i] : second;
        }

        return logits[best] - second;
    }

    private sealed record Verdict(int[] Chosen, int FirstUnsure, double[] Logits)
    {
        internal ReadOnlyMemory<double> Row(int row)
        {
            int vocabulary = Logits.Length / Chosen.Length;
            return Logits.AsMemory(row * vocabulary, vocabulary);
        }
    }
}
