using System.Text.Json;
using System.Text.RegularExpressions;
using Hearth.Data;

namespace Hearth.Cli.Demo;

/// <summary>
/// WordNet's glosses as questions and answers, for supervised fine-tuning: the database files of Debian's wordnet-base, whose format is that of
/// wndb(5WN).
/// </summary>
internal static partial class WordNetGlosses
{
    public const string Name = "wordnet-glosses";
    public const string License = "WordNet 3.0 license (Debian package wordnet-base)";
    private const string Folder = "/usr/share/wordnet";
    private static readonly string[] Files = ["data.adj", "data.adv", "data.noun", "data.verb"];

    /// <exception cref="CliException">The package is missing.</exception>
    public static string Find() => Files.All(f => File.Exists(Path.Combine(Folder, f)))
        ? Folder
        : throw new CliException("WordNet's database is not on this machine. Install the package wordnet-base.");

    /// <summary>Writes every <paramref name="nth"/> gloss of the folder as a conversation, a JSON line each, always in the same order.</summary>
    public static void Write(string folder, string path, int nth)
    {
        var lines = Lines(folder).Select(Conversation).OfType<IReadOnlyList<ChatTurn>>().Where((_, i) => i % nth == 0);
        File.WriteAllLines(path, lines.Select(turns => JsonSerializer.Serialize(new { messages = turns }, Json.Wire)));
    }

    /// <summary>The first word of every synset of the folder with its definition, always in the same order.</summary>
    public static IEnumerable<(string Word, string Definition)> Entries(string folder) => Lines(folder).Select(Entry).OfType<(string, string)>();

    /// <summary>The question for a synset's first word and its definition; null for a line that is none. Pure.</summary>
    public static IReadOnlyList<ChatTurn>? Conversation(string line) =>
        Entry(line) is var (word, definition) ? [new ChatTurn(ChatRow.User, Question(word)), new ChatTurn(ChatRow.Assistant, definition + ".")] : null;

    public static string Question(string word) => $"What does \"{word}\" mean?";

    private static IEnumerable<string> Lines(string folder) => Files.SelectMany(f => File.ReadLines(Path.Combine(folder, f)));

    // Without examples; null for a line that is no synset.
    private static (string Word, string Definition)? Entry(string line)
    {
        // Lines of the license begin with spaces.
        if (line.StartsWith(' ') || line.Split(" | ", 2) is not [var data, var gloss] || data.Split(' ') is not [_, _, _, _, var word, ..])
        {
            return null;
        }

        string definition = Examples().Replace(gloss, "").Trim().TrimEnd(';', ':', ',').Trim();
        string name = Marker().Replace(word, "").Replace('_', ' ');
        return definition.Length == 0 ? null : (name, definition);
    }

    // Examples stand in quotation marks behind the definition.
    [GeneratedRegex("[;:,]? *\".*$")]
    private static partial Regex Examples();

    // Where an adjective may stand, as in "galore(ip)".
    [GeneratedRegex(@"\((a|p|ip)\)$")]
    private static partial Regex Marker();
}
