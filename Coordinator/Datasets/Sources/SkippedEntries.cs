namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>What was left out of an import and why: nothing of it goes silently.</summary>
public sealed class SkippedEntries
{
    private const int MostNames = 3;
    private const int LongestName = 200;
    private readonly SortedDictionary<string, Group> _groups = new(StringComparer.Ordinal);

    /// <summary>How many there are in all.</summary>
    public long Count => _groups.Values.Sum(g => g.Count);

    /// <summary>Counts an entry under its reason; the first names are kept.</summary>
    /// <param name="reason">In a few words that are the same for all of the kind.</param>
    /// <param name="name">Of the entry; what cannot be shown in it is replaced.</param>
    public void Add(string reason, string name)
    {
        if (!_groups.TryGetValue(reason, out var group))
        {
            _groups[reason] = group = new Group();
        }

        group.Count++;
        if (group.Names.Count < MostNames)
        {
            string shown = new([.. name.Select(c => char.IsControl(c) ? '\uFFFD' : c)]);
            group.Names.Add(shown.Length <= LongestName ? shown : shown[..LongestName] + "…");
        }
    }

    /// <summary>Reasons in ordinal order, each with its count and first names.</summary>
    public IReadOnlyList<(string Reason, long Count, IReadOnlyList<string> Names)> ToList() => [.. _groups.Select(g => (g.Key, g.Value.Count, (IReadOnlyList<string>)g.Value.Names))];

    private sealed class Group
    {
        public long Count { get; set; }

        public List<string> Names { get; } = [];
    }
}
