using System.Text.Json.Nodes;

namespace Hearth.Runs;

/// <summary>The fields of one spec while it is read: what was taken, and what is wrong.</summary>
internal sealed class SpecFields
{
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);
    private readonly HashSet<string> _unread = new(StringComparer.Ordinal);

    /// <summary>What was taken so far, in the sections that it belongs to.</summary>
    public JsonObject Values { get; } = [];

    public List<FieldError> Errors { get; } = [];

    /// <summary>Fields that were given wrong, twice, or not at all though they must be.</summary>
    public IReadOnlySet<string> Unread => _unread;

    /// <summary>Fields that were given, right or wrong.</summary>
    public IReadOnlySet<string> Named => _given;

    /// <summary>There is enough to mend.</summary>
    public bool IsFull => Errors.Count >= RunSpecReader.MostErrors;

    public bool Has(string path) => _given.Contains(path);

    public void Take(string path, JsonNode? value)
    {
        _given.Add(path);
        Put(path, value);
    }

    public void Refuse(string path, FieldError error)
    {
        _given.Add(path);
        _unread.Add(path);
        Errors.Add(error);
    }

    /// <summary>A section that is none: nothing of it says anything.</summary>
    public void RefuseSection(string section, FieldError error, IEnumerable<FieldRule> rules)
    {
        _unread.UnionWith(rules.Select(r => r.Path).Where(p => p.StartsWith(section + ".", StringComparison.Ordinal)));
        Errors.Add(error);
    }

    /// <summary>Notes what must be given and was not, and puts an empty text where a value must stand.</summary>
    public void Complete(IReadOnlyList<FieldRule> rules)
    {
        foreach (var rule in rules.Where(r => r.Required))
        {
            // Whoever gave up reading cannot say what would have come.
            if (!Has(rule.Path) && !IsFull)
            {
                Errors.Add(new FieldError(rule.Path, "", rule.Allowed, $"{rule.Path} is missing. {rule.Help}"));
            }

            if (!Has(rule.Path) || _unread.Contains(rule.Path))
            {
                _unread.Add(rule.Path);
                Put(rule.Path, "");
            }
        }
    }

    private void Put(string path, JsonNode? value)
    {
        if (path.Split('.', 2) is not [var section, var name])
        {
            Values[path] = value;
            return;
        }

        if (Values[section] is not JsonObject there)
        {
            Values[section] = there = [];
        }

        there[name] = value;
    }
}
