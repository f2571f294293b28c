using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Hearth.Tokenizers;

/// <summary>
/// The two fixed parts of byte-level BPE (Radford et al. 2019): the one-to-one map between bytes and printable characters,
/// and the pattern that cuts text into pieces before merging.
/// </summary>
public static partial class ByteLevel
{
    private const int Often = 1 << 12;
    private static readonly char[] ToChar = MakeMap();
    private static readonly Dictionary<char, byte> ToByte = ToChar.Select((c, b) => (c, (byte)b)).ToDictionary(p => p.c, p => p.Item2);

    /// <summary>The character that stands for a byte in vocabularies.</summary>
    public static char Character(byte value) => ToChar[value];

    /// <summary>The 256 characters in the order of their code points, which is the order of the first ids.</summary>
    public static IEnumerable<char> Alphabet => ToChar.Order();

    /// <summary>The bytes of a vocabulary entry; null when it holds a character outside the map.</summary>
    public static byte[]? Bytes(string entry)
    {
        byte[] bytes = new byte[entry.Length];
        for (int i = 0; i < entry.Length; i++)
        {
            if (!ToByte.TryGetValue(entry[i], out bytes[i]))
            {
                return null;
            }
        }

        return bytes;
    }

    /// <summary>Contractions, words with their leading space, numbers, runs of other characters, white space: all of the text in order.</summary>
    public static Regex.ValueMatchEnumerator Pieces(ReadOnlySpan<char> text) => Pattern().EnumerateMatches(text);

    /// <summary>Adds the pieces of a text to counts of such.</summary>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    internal static void CountPieces(string text, Dictionary<string, long> counts, LongStep step)
    {
        var known = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        int pieces = 0;
        foreach (var piece in Pieces(text))
        {
            CollectionsMarshal.GetValueRefOrAddDefault(known, text.AsSpan(piece.Index, piece.Length), out _)++;
            if (++pieces % Often == 0)
            {
                step.At(piece.Index / (double)text.Length);
            }
        }
    }

    /// <summary>The pairs of bytes in counted pieces.</summary>
    /// <param name="pieces">Each with how often it occurs.</param>
    /// <param name="idOf">The symbol of each byte.</param>
    /// <param name="weight">See <see cref="PairCounts"/>.</param>
    /// <param name="step">Hears of progress.</param>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    internal static PairCounts CountPairs(Dictionary<string, long> pieces, int[] idOf, Func<int, int, long> weight, LongStep step)
    {
        var pairs = new PairCounts(weight);
        byte[] bytes = [];
        int[] symbols = [];
        int taken = 0;
        foreach (var (piece, count) in pieces)
        {
            int length = Encoding.UTF8.GetByteCount(piece);
            if (bytes.Length < length)
            {
                (bytes, symbols) = (new byte[length], new int[length]);
            }

            Encoding.UTF8.GetBytes(piece, bytes);
            for (int i = 0; i < length; i++)
            {
                symbols[i] = idOf[bytes[i]];
            }

            pairs.Add(symbols.AsSpan(0, length), count);
            if (++taken % Often == 0)
            {
                step.At(taken / (2.0 * pieces.Count));
            }
        }

        pairs.Count(step.Part(0.5, 1));
        return pairs;
    }

    private static char[] MakeMap()
    {
        var map = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            map[b] = (char)(printable ? b : next++);
        }

        return map;
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
