using Hearth.Coordinator.Datasets.Sources;
using Hearth.Data;
using Hearth.Coordinator.Hosting;
using Hearth.Runs;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>What can be wrong with a row; the words are those of the manifest.</summary>
public enum BadRowKind
{
    /// <summary>Its text is empty or blank.</summary>
    Empty,

    /// <summary>Its line is no JSON object.</summary>
    NotJson,

    /// <summary>It has neither a text nor a conversation.</summary>
    NoText,

    /// <summary>A field of it is wrong: a role, a label.</summary>
    WrongField,

    /// <summary>It has half of a surrogate pair.</summary>
    LoneSurrogate,

    /// <summary>It has a NUL.</summary>
    Nul,

    /// <summary>It is no UTF-8.</summary>
    NotUtf8,

    /// <summary>Its line is longer than <see cref="LineReader.LongestLine"/>.</summary>
    TooLong,
}

/// <summary>A row that was left out.</summary>
/// <param name="At">File and line.</param>
/// <param name="Kind">What is wrong.</param>
/// <param name="Detail">More of it, or the beginning of the row; empty where there is nothing to say.</param>
public sealed record BadRow(string At, BadRowKind Kind, string Detail);

/// <summary>How many bad rows an import may have. Pure.</summary>
/// <param name="MostShare"><c>HEARTH_IMPORT_BAD_SHARE</c>: of all rows.</param>
/// <param name="Least"><c>HEARTH_IMPORT_BAD_ROWS</c>: as many are let pass whatever share they are.</param>
public sealed record BadRowPolicy(double MostShare, long Least)
{
    private const long DefaultLeast = 10;
    private const long DefaultPerMille = 50;

    public static BadRowPolicy Default { get; } = new(DefaultPerMille / 1000.0, DefaultLeast);

    /// <exception cref="InvalidOperationException">A setting is wrong.</exception>
    public static BadRowPolicy Read(IConfiguration settings) => new(
        CoordinatorOptions.ReadFraction(settings, "HEARTH_IMPORT_BAD_SHARE", DefaultPerMille / 1000.0),
        SourceLimits.Number(settings, "HEARTH_IMPORT_BAD_ROWS", DefaultLeast, 0, 1L << 40));

    /// <summary>Whether an import with these rows fails.</summary>
    /// <param name="bad">Rows left out.</param>
    /// <param name="rows">All rows, those included.</param>
    public bool IsExceeded(long bad, long rows) => bad > Least && bad > MostShare * rows;
}

/// <summary>Bad rows of one import: all are counted, the first are kept.</summary>
public sealed class BadRows
{
    private const int MostSamples = 20;
    private const int LongestDetail = 200;
    private readonly SortedDictionary<BadRowKind, long> _counts = [];
    private readonly List<BadRow> _samples = [];

    public long Count => _counts.Values.Sum();

    public IReadOnlyDictionary<BadRowKind, long> Counts => _counts;

    public IReadOnlyList<BadRow> Samples => _samples;

    public void Add(BadRow row)
    {
        _counts[row.Kind] = _counts.GetValueOrDefault(row.Kind) + 1;
        if (_samples.Count < MostSamples)
        {
            _samples.Add(row with { Detail = new([.. Words.Shorten(row.Detail, LongestDetail).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c)]) });
        }
    }

    /// <summary>Kinds with their counts and the first row: <c>2 empty, 1 not_json; the first is a.jsonl:3, empty</c>.</summary>
    public string InWords() => $"{string.Join(", ", _counts.Select(c => $"{Words.Number(c.Value)} {WordOf(c.Key)}"))}; the first is {_samples[0].At}, {Described(_samples[0])}";

    /// <summary>The kind as the API tells it.</summary>
    public static string WordOf(BadRowKind kind) => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString());

    private static string Described(BadRow row) => row.Detail.Length == 0 ? WordOf(row.Kind) : $"{WordOf(row.Kind)}: {row.Detail}";
}
