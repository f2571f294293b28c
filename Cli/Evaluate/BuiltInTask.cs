using System.Text.Json;
using System.Text.RegularExpressions;
using Hearth.Cli.Demo;

namespace Hearth.Cli.Evaluate;

/// <summary>A question with several answers, as the trainer's <c>evaluate --choices</c> reads it.</summary>
internal sealed record Question(string Prompt, IReadOnlyList<string> Choices, int Answer);

/// <summary>Tasks that are made of texts of Debian's packages, always the same items in the same order. Pure but for reading the texts.</summary>
internal static partial class BuiltInTask
{
    public const string WordNet = "wordnet";
    public const string Cloze = "cloze";
    private const int Items = 500;
    private const int Choices = 4;
    private const int LongestDefinition = 160;
    private const int WordsBefore = 8;

    public static IReadOnlyList<string> Names { get; } = [WordNet, Cloze];

    /// <summary>The items of a task.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="CliException">The package is missing; names it.</exception>
    public static IReadOnlyList<Question> Make(string name) => name == WordNet
        ? OfDefinitions(WordNetGlosses.Entries(WordNetGlosses.Find()))
        : OfTexts(Directory.GetFiles(DemoText.Find(), "*.txt", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(File.ReadAllText));

    public static void Write(IEnumerable<Question> questions, string path) => File.WriteAllLines(path, questions.Select(q => JsonSerializer.Serialize(q, Json.Wire)));

    /// <summary>Which of four words a definition is of. The other words are those of definitions elsewhere in the list.</summary>
    public static IReadOnlyList<Question> OfDefinitions(IEnumerable<(string Word, string Definition)> entries)
    {
        var all = entries.Where(e => e.Definition.Length <= LongestDefinition && Word().IsMatch(e.Word)).DistinctBy(e => e.Word).ToArray();
        var random = new SplitMix64(0);
        string[] words = [.. all.Select(e => e.Word)];
        return [.. Spread(all, Items).Select(e => Ask($"{Capital(e.Definition)} is the meaning of the word \"", e.Word, words, ref random, end: "\""))];
    }

    /// <summary>Which of four words goes on a sentence. The other words are of the same text.</summary>
    public static IReadOnlyList<Question> OfTexts(IEnumerable<string> texts)
    {
        var random = new SplitMix64(1);
        var sentences = new List<(string Before, string Word, string[] Others)>();
        foreach (string text in texts)
        {
            string[] words = [.. LongWord().Matches(text).Select(m => m.Value).Distinct(StringComparer.Ordinal)];
            if (words.Length < 2 * Choices)
            {
                continue;
            }

            foreach (Match sentence in Sentence().Matches(text))
            {
                string[] parts = Space().Replace(sentence.Value.Trim(), " ").TrimEnd('.').Split(' ');
                if (parts.Length > WordsBefore && LongWord().Match(parts[^1]).Value == parts[^1])
                {
                    sentences.Add((string.Join(' ', parts[..^1]), parts[^1], words));
                }
            }
        }

        return [.. Spread([.. sentences.DistinctBy(s => s.Before)], Items).Select(s => Ask(s.Before, " " + s.Word, [.. s.Others.Select(o => " " + o)], ref random, end: ""))];
    }

    private static Question Ask(string prompt, string right, string[] pool, ref SplitMix64 random, string end)
    {
        var choices = new List<string> { right };
        while (choices.Count < Choices)
        {
            string other = pool[(int)(random.Next() % (ulong)pool.Length)];
            if (!choices.Contains(other, StringComparer.OrdinalIgnoreCase))
            {
                choices.Add(other);
            }
        }

        int answer = (int)(random.Next() % Choices);
        (choices[0], choices[answer]) = (choices[answer], choices[0]);
        return new Question(prompt, [.. choices.Select(c => c + end)], answer);
    }

    // Evenly over the list, so that no letter or text has them all.
    private static IEnumerable<T> Spread<T>(T[] all, int count) => all.Where((_, i) => (long)i * count / all.Length != (long)(i - 1) * count / all.Length || i == 0).Take(count);

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    [GeneratedRegex("^[a-z]{4,14}$")]
    private static partial Regex Word();

    [GeneratedRegex("[a-z]{4,14}")]
    private static partial Regex LongWord();

    [GeneratedRegex(@"(?<=[.!?]\s+)[A-Z][a-zA-Z ,'\n]{40,300}\.")]
    private static partial Regex Sentence();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
