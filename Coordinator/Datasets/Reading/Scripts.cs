using System.Buffers;
using System.Text;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>Counts letters by their script, which tells of languages what can be told without knowing any. Pure but for its counts.</summary>
public sealed class Scripts
{
    private const string Other = "Other";

    // First and last code point of blocks of letters, ascending (Unicode 16, Blocks.txt); what lies between them are no letters, or scripts that are rare.
    private static readonly (int First, int Last, string Name)[] Blocks =
    [
        (0x41, 0x24F, "Latin"), (0x250, 0x2AF, "Latin"), (0x370, 0x3FF, "Greek"), (0x400, 0x52F, "Cyrillic"), (0x530, 0x58F, "Armenian"), (0x590, 0x5FF, "Hebrew"),
        (0x600, 0x6FF, "Arabic"), (0x750, 0x77F, "Arabic"), (0x8A0, 0x8FF, "Arabic"), (0x900, 0x97F, "Devanagari"), (0x980, 0x9FF, "Bengali"), (0xA00, 0xA7F, "Gurmukhi"), (0xA80, 0xAFF, "Gujarati"),
        (0xB80, 0xBFF, "Tamil"), (0xC00, 0xC7F, "Telugu"), (0xC80, 0xCFF, "Kannada"), (0xD00, 0xD7F, "Malayalam"), (0xD80, 0xDFF, "Sinhala"),
        (0xE00, 0xE7F, "Thai"), (0xE80, 0xEFF, "Lao"), (0xF00, 0xFFF, "Tibetan"), (0x1000, 0x109F, "Burmese"), (0x10A0, 0x10FF, "Georgian"), (0x1100, 0x11FF, "Hangul"), (0x1200, 0x139F, "Ethiopic"), (0x1780, 0x17FF, "Khmer"),
        (0x1C90, 0x1CBF, "Georgian"), (0x1E00, 0x1EFF, "Latin"), (0x1F00, 0x1FFF, "Greek"), (0x3040, 0x309F, "Hiragana"), (0x30A0, 0x30FF, "Katakana"), (0x3130, 0x318F, "Hangul"), (0x3400, 0x4DBF, "Han"), (0x4E00, 0x9FFF, "Han"),
        (0xAC00, 0xD7AF, "Hangul"), (0xF900, 0xFAFF, "Han"), (0xFB50, 0xFDFF, "Arabic"), (0xFE70, 0xFEFF, "Arabic"), (0xFF21, 0xFF5A, "Latin"), (0x20000, 0x323AF, "Han"),
    ];

    private static readonly string[] Names = [.. Blocks.Select(b => b.Name).Distinct(), Other];

    // The script of each letter of the first plane, as its place among the names and one; 0 = no letter.
    private static readonly byte[] FirstPlane = [.. Enumerable.Range(0, 1 << 16).Select(c => char.IsLetter((char)c) ? PlaceOf(c) : (byte)0)];
    private readonly long[] _counts = new long[Names.Length + 1];

    /// <summary>Counts the letters of a text.</summary>
    public void Add(ReadOnlySpan<char> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
            {
                _counts[FirstPlane[text[i]]]++;
            }
            else if (Rune.DecodeFromUtf16(text[i..], out var rune, out _) == OperationStatus.Done)
            {
                _counts[Rune.IsLetter(rune) ? PlaceOf(rune.Value) : 0]++;
                i++;
            }
        }
    }

    /// <summary>Letters by script, the most first.</summary>
    public IReadOnlyList<(string Name, long Letters)> ToList() =>
        [.. Names.Select((name, i) => (name, _counts[i + 1])).Where(s => s.Item2 > 0).OrderByDescending(s => s.Item2).ThenBy(s => s.name, StringComparer.Ordinal)];

    private static byte PlaceOf(int letter)
    {
        string name = Blocks.FirstOrDefault(b => letter >= b.First && letter <= b.Last).Name ?? Other;
        return (byte)(Array.IndexOf(Names, name) + 1);
    }
}
