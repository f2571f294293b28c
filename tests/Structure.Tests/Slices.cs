using System.Text.RegularExpressions;

namespace Hearth.Tests;

/// <summary>That a slice uses another.</summary>
/// <param name="From">Folder of the user, as <c>Metrics.Storage</c>; empty = the coordinator's root.</param>
/// <param name="To">Folder of what it uses.</param>
/// <param name="File">Where it does.</param>
/// <param name="What">The using directive or the name that says so.</param>
internal sealed record SliceUse(string From, string To, string File, string What)
{
    public override string ToString() => $"{From} → {To} ({File}: {What})";
}

/// <summary>
/// Reads which slices of the coordinator, folders with a namespace each, use which. A using directive is a use, since the build refuses one that
/// is not needed. What needs no directive is found by its name: types and extension methods of the enclosing namespaces, and names that are qualified
/// by a slice. Pure.
/// </summary>
internal sealed partial class Slices
{
    private const string Space = "Hearth.Coordinator";
    private readonly IReadOnlyDictionary<string, string> _sources;
    private readonly ILookup<string, string> _declared;

    /// <param name="sources">Text of each file by its path below the coordinator, as <c>Metrics/Storage/Bytes.cs</c>.</param>
    internal Slices(IReadOnlyDictionary<string, string> sources)
    {
        _sources = sources.ToDictionary(s => s.Key, s => Comments().Replace(s.Value, ""), StringComparer.Ordinal);
        _declared = _sources.SelectMany(s => Declared(s.Value).Select(name => (Slice: Of(s.Key), name))).ToLookup(d => d.Slice, d => d.name, StringComparer.Ordinal);
    }

    /// <summary>All slices that have sources, without the root.</summary>
    internal IReadOnlySet<string> All => _sources.Keys.Select(Of).Where(s => s.Length > 0).ToHashSet(StringComparer.Ordinal);

    /// <summary>The slice of a file; empty for the coordinator's root.</summary>
    internal static string Of(string path) => (Path.GetDirectoryName(path) ?? "").Replace('\\', '.').Replace('/', '.');

    /// <summary>Files whose namespace is not their folder's, each with the one it has.</summary>
    internal IEnumerable<string> Misplaced() =>
        from source in _sources
        let given = Namespace().Match(source.Value).Groups["name"].Value
        let wanted = $"{Space}.{Of(source.Key)}".TrimEnd('.')
        where given.Length > 0 && given != wanted
        select $"{source.Key}: {given}";

    /// <summary>Every use of a slice by another. The root may use everything, so what it uses is left out; what uses the root is not.</summary>
    internal IReadOnlyList<SliceUse> Uses() =>
        [.. from source in _sources let user = Of(source.Key) where user.Length > 0 from used in UsesOf(user, source.Value) select new SliceUse(user, used.Slice, source.Key, used.What)];

    /// <summary>A chain of uses that leads back to where it begins; empty where there is none.</summary>
    internal static IReadOnlyList<SliceUse> FindCircle(IReadOnlyList<SliceUse> uses)
    {
        var from = uses.DistinctBy(u => (u.From, u.To)).ToLookup(u => u.From, StringComparer.Ordinal);
        var cleared = new HashSet<string>(StringComparer.Ordinal);
        var path = new List<SliceUse>();
        return from.Select(f => f.Key).Any(Leads) ? [.. path.SkipWhile(u => u.From != path[^1].To)] : [];

        // Deepens the path until it meets itself; a slice from which it never does is not looked at again.
        bool Leads(string slice)
        {
            foreach (var use in cleared.Contains(slice) ? [] : from[slice])
            {
                path.Add(use);
                if (path.Any(u => u.From == use.To) || Leads(use.To))
                {
                    return true;
                }

                path.RemoveAt(path.Count - 1);
            }

            cleared.Add(slice);
            return false;
        }
    }

    private IEnumerable<(string Slice, string What)> UsesOf(string user, string text)
    {
        var slices = All;
        foreach (string directive in Using().Matches(text).Select(m => m.Groups["name"].Value))
        {
            // What is used may be a type of the slice: of a static or an alias directive.
            for (string slice = directive; slice.Length > 0; slice = Parent(slice))
            {
                if (slices.Contains(slice))
                {
                    if (slice != user)
                    {
                        yield return (slice, $"using {directive}");
                    }

                    break;
                }
            }
        }

        var words = Word().Matches(text).Select(m => m.Value).ToHashSet(StringComparer.Ordinal);
        var own = _declared[user].ToHashSet(StringComparer.Ordinal);
        for (string around = user; around.Length > 0;)
        {
            around = Parent(around);
            if (_declared[around].FirstOrDefault(name => words.Contains(name) && !own.Contains(name)) is { } named)
            {
                yield return (around, named);
            }
        }

        foreach (string[] chain in Chain().Matches(text).Select(m => m.Value.Split('.')))
        {
            for (int i = 1; i < chain.Length; i++)
            {
                string qualifier = string.Join('.', chain[..i]), name = chain[i];
                foreach (string slice in slices.Where(s => s != user && $".{Space}.{s}".EndsWith($".{qualifier}", StringComparison.Ordinal) && _declared[s].Contains(name)))
                {
                    yield return (slice, $"{qualifier}.{name}");
                }
            }
        }
    }

    private static string Parent(string slice) => slice.LastIndexOf('.') is > 0 and var dot ? slice[..dot] : "";

    // Types of other types are reached through those; extension methods through nothing but their namespace.
    private static IEnumerable<string> Declared(string text) => Type().Matches(text).Concat(Extension().Matches(text)).Select(m => m.Groups["name"].Value);

    [GeneratedRegex(@"^\s*//.*$", RegexOptions.Multiline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"^namespace (?<name>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^(global )?using (static )?(\w+ = )?Hearth\.Coordinator\.(?<name>[\w.]+)", RegexOptions.Multiline)]
    private static partial Regex Using();

    [GeneratedRegex(@"^(public|internal)( \w+)* (class|record struct|record|struct|interface|enum|delegate [\w<>?.]+) (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex Type();

    [GeneratedRegex(@"static [\w<>\[\]?., ()]+ (?<name>\w+)(<[\w, ]+>)?\(this ")]
    private static partial Regex Extension();

    [GeneratedRegex(@"\b[A-Z]\w+\b")]
    private static partial Regex Word();

    [GeneratedRegex(@"(?<![\w.])[A-Z]\w+(\.[A-Z]\w+)+")]
    private static partial Regex Chain();
}
