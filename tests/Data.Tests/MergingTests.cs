using Hearth.Tokenizers;
using Xunit;

namespace Hearth.Tests;

/// <summary>Merging fast against merging as it is defined.</summary>
public sealed class MergingTests
{
    [Fact]
    public void Random_merges_with_equal_ranks_and_overlaps_give_the_symbols_and_finds_of_the_definition()
    {
        for (int seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            int letters = random.Next(1, 5), ranks = random.Next(1, 8);
            var (fast, naive) = (new MergeTable(), new NaiveMerges());
            for (int m = random.Next(20); m > 0; m--)
            {
                var (left, right, rank, symbol) = (random.Next(letters + 3), random.Next(letters + 3), random.Next(ranks), random.Next(letters + 3));
                fast.TryAdd(new SymbolPair(left, right), rank, symbol);
                naive.Add(left, right, rank, symbol);
            }

            int[] text = [.. Enumerable.Range(0, random.Next(60)).Select(_ => random.Next(random.Next(10) == 0 ? -2 : 0, letters))];
            List<(int, int, int)> found = [], expectedFound = [];
            var expected = naive.Apply(text, (left, right, symbol) => expectedFound.Add((left, right, symbol)));
            int[] next = fast.Apply(text, (pair, symbol) => found.Add((pair.Left, pair.Right, symbol)));

            var starts = new List<int>();
            for (int at = text.Length > 0 ? 0 : -1; at >= 0; at = next[at])
            {
                starts.Add(at);
            }

            Assert.Equal(expected.Starts.Count, starts.Count);
            Assert.Equal(expected.Symbols, starts.Select(at => text[at]));
            Assert.Equal(expectedFound, found);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Random_words_are_learnt_from_in_the_order_of_the_definition(bool byText)
    {
        for (int seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            int letters = random.Next(1, 5), longest = random.Next(2, 20);
            var words = Enumerable.Range(0, random.Next(1, 12))
                .Select(_ => (Symbols: Enumerable.Range(0, random.Next(seed % 7 == 0 ? 120 : 14)).Select(_ => random.Next(letters)).ToArray(), Count: (long)random.Next(1, 5))).ToArray();
            List<string> entries = [.. Enumerable.Range(0, letters).Select(l => ((char)('a' + l)).ToString())];
            long Weight(int left, int right) => entries[left].Length + entries[right].Length is var length && length > longest ? 0 : seed % 2 == 0 ? length : 1;
            var naive = new NaivePairCounts(words, Weight);
            var fast = new PairCounts(Weight);
            foreach (var (symbols, count) in words)
            {
                fast.Add(symbols, count);
            }

            fast.Count();
            var refused = new HashSet<(int, int)>();
            for (int merges = 0; merges < 60; merges++)
            {
                var best = fast.TakeBest();
                Assert.Equal(naive.Best(refused), best is { } b ? (b.Left, b.Right) : null);
                if (best is not { } pair)
                {
                    break;
                }

                // Some text may not become a piece, and one text may come of several pairs.
                string joined = entries[pair.Left] + entries[pair.Right];
                if (byText && joined.EndsWith("bab", StringComparison.Ordinal))
                {
                    refused.Add((pair.Left, pair.Right));
                    continue;
                }

                int symbol = byText ? entries.IndexOf(joined) : -1;
                if (symbol < 0)
                {
                    symbol = entries.Count;
                    entries.Add(joined);
                }

                naive.Merge((pair.Left, pair.Right), symbol);
                fast.Merge(pair, symbol);
            }
        }
    }

    [Fact]
    public void SentencePiece_merges_random_pieces_frozen_unused_and_equally_good_ones_as_its_definition_does()
    {
        for (int seed = 0; seed < 1000; seed++)
        {
            var random = new Random(seed);
            string Text(int longest) => string.Concat(Enumerable.Range(0, random.Next(1, longest)).Select(_ => random.Next(12) == 0 ? "🙂" : ((char)('a' + random.Next(3))).ToString()));
            SpmPieceType[] types = [SpmPieceType.Normal, SpmPieceType.Normal, SpmPieceType.Normal, SpmPieceType.Unused, SpmPieceType.UserDefined];
            SpmPiece[] pieces = [new("<unk>", 0, SpmPieceType.Unknown), .. Enumerable.Range(0, 25).Select(_ => Text(6)).Distinct().Select(t => new SpmPiece(t, -random.Next(6), types[random.Next(types.Length)]))];
            string text = Text(50) + (seed % 3 == 0 ? "d" : "");
            List<(int, string)> cut = [];
            new PieceMerger(pieces).Cut(text, (id, outside) => cut.Add((id, outside)));

            Assert.Equal(NaivePieces.Cut(pieces, text), cut);
        }
    }
}
