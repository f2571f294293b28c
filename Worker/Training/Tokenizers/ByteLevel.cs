using System.Text.RegularExpressions;

namespace Hearth.Training.Tokenizers;

/// <summary>
/// The two fixed parts of byte-level BPE (Radford et al. 2019): the one-to-one map between bytes and printable characters,
/// and the pattern that cuts text into pieces before merging.
/// </summary>
public static partial class ByteLevel
{
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

    /// <summary>Contractions, words with their leading space, numbers, runs of other characters, white space.</summary>
    public static List<string> Pieces(string text)
    {
        var pieces = new List<string>();
        foreach (var match in Pattern().EnumerateMatches(text))
        {
            pieces.Add(text.Substring(match.Index, match.Length));
        }

        return pieces;
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
