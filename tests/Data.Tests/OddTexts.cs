using System.Text;

namespace Hearth.Tests;

/// <summary>Texts that are hard to cut into words: runs of one letter, words without spaces, every byte, other scripts, broken surrogates.</summary>
internal static class OddTexts
{
    private static readonly string[] Kinds = ["run", "few", "words", "bytes", "scripts", "signs", "spaces", "surrogates", "mixed"];

    /// <summary>Always the same for a seed.</summary>
    /// <param name="seed">Decides kind and text.</param>
    /// <param name="longest">UTF-16 units, about.</param>
    internal static string Draw(int seed, int longest)
    {
        var random = new Random(seed);
        return Of(Kinds[random.Next(Kinds.Length)], random, random.Next(longest + 1));
    }

    /// <summary>A text without a space of words of a few letters.</summary>
    internal static string WithoutSpaces(int length) => Of("words", new Random(3), length);

    private static string Of(string kind, Random random, int length)
    {
        string[] words = ["the", "cat", "sat", "on", "mat", "and", "extraordinary", "birds", "aa", "aaa"];
        var text = new StringBuilder();
        char run = (char)('a' + random.Next(3));
        while (text.Length < length)
        {
            _ = kind switch
            {
                "run" => text.Append(run),
                "few" => text.Append((char)('a' + random.Next(2))),
                "words" => text.Append(words[random.Next(words.Length)]),
                "bytes" => text.Append((char)random.Next(256)),
                "scripts" => text.Append(Rune.IsValid(random.Next(0x1F700)) ? new Rune(Math.Max(1, random.Next(0xD800))).ToString() : "🙂e\u0301"),
                "signs" => text.Append("-=_~<>|"[random.Next(7)]),
                "spaces" => text.Append(" \n\t\u2581"[random.Next(4)]),
                "surrogates" => text.Append((char)random.Next(0xD700, 0xE100)),
                _ => text.Append(Of(Kinds[random.Next(Kinds.Length - 1)], random, random.Next(40))).Append(random.Next(2) == 0 ? " " : ""),
            };
        }

        return text.ToString();
    }
}
