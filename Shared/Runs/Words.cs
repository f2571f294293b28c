using System.Globalization;

namespace Hearth.Runs;

/// <summary>Numbers and near names as messages print them.</summary>
public static class Words
{
    // Of a longer one nobody could mean a field; distances cost the product of the lengths.
    private const int LongestWord = 64;

    /// <summary>Whole numbers with thousands separators, others in shortest form.</summary>
    public static string Number(double value) => value == Math.Floor(value) && Math.Abs(value) is < 1e15 and not (> 0 and < 1)
        ? value.ToString("#,##0", CultureInfo.InvariantCulture)
        : value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>
    /// The text, or its beginning and its end where it is longer: a message names its field first and what is allowed last. Pairs of
    /// surrogates stay whole.
    /// </summary>
    /// <param name="text">Any.</param>
    /// <param name="most">Characters that stay, at least 2; an ellipsis comes between.</param>
    public static string Shorten(string text, int most)
    {
        if (text.Length <= most)
        {
            return text;
        }

        int head = (most + 1) / 2, tail = text.Length - (most / 2);
        head -= char.IsHighSurrogate(text[head - 1]) ? 1 : 0;
        tail += char.IsLowSurrogate(text[tail]) ? 1 : 0;
        return $"{text.AsSpan(0, head)}…{text.AsSpan(tail)}";
    }

    /// <summary>The candidate with the least edit distance to a mistyped word, or null when none is near.</summary>
    public static string? Nearest(string word, IEnumerable<string> candidates)
    {
        if (word.Length > LongestWord)
        {
            return null;
        }

        var best = candidates
            .Select(c => (Name: c, Distance: Distance(word, c)))
            .OrderBy(c => c.Distance)
            .ThenBy(c => c.Name, StringComparer.Ordinal)
            .FirstOrDefault();
        return best.Name is not null && best.Distance <= Math.Max(2, word.Length / 2) ? best.Name : null;
    }

    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                int change = a[i - 1] == b[j - 1] ? diagonal : diagonal + 1;
                row[j] = Math.Min(change, Math.Min(above, row[j - 1]) + 1);
                diagonal = above;
            }
        }

        return row[b.Length];
    }
}
