namespace Hearth.Api;

public sealed record DatasetView
{
    public required Guid Id { get; init; }
    public required string Name { get; init; }
    public required string Kind { get; init; }
    public required string License { get; init; }
    public required long Bytes { get; init; }
    public required int Files { get; init; }

    /// <summary>Texts or conversations.</summary>
    public required long Documents { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Tokens after preparation, by vocabulary size.</summary>
    public required IReadOnlyDictionary<string, long> Tokens { get; init; }

    /// <summary>What its import found; null in lists, and for datasets from before there were any.</summary>
    public DatasetManifest? Manifest { get; init; }
}

/// <summary>POST /api/v1/datasets/import: reads files or folders that the coordinator's machine holds (admin only).</summary>
public sealed record ImportDataset(string Name, IReadOnlyList<string> Paths, string License);

/// <summary>What an import found in a dataset. Rows that were left out are all counted here.</summary>
public sealed record DatasetManifest
{
    /// <summary>Texts or conversations.</summary>
    public required long Documents { get; init; }

    /// <summary>Of their texts in UTF-8.</summary>
    public required long TextBytes { get; init; }

    /// <summary>Of their texts, as UTF-16 units.</summary>
    public required long Characters { get; init; }

    /// <summary>Turns of conversations; 0 where there are none.</summary>
    public required long Turns { get; init; }

    /// <summary>Documents that were there before, letter by letter, and were left out.</summary>
    public required long Duplicates { get; init; }

    /// <summary>Letters by script, the most first.</summary>
    public required IReadOnlyList<ScriptCount> Scripts { get; init; }

    /// <summary>Documents by length in powers of two, ascending, without holes.</summary>
    public required IReadOnlyList<LengthCount> Lengths { get; init; }

    /// <summary>Rows that were left out, by kind.</summary>
    public required IReadOnlyDictionary<string, long> BadRows { get; init; }

    /// <summary>The first of them.</summary>
    public required IReadOnlyList<BadRowView> BadRowSamples { get; init; }

    /// <summary>Files and entries of archives that were left out, by reason.</summary>
    public required IReadOnlyList<SkippedView> Skipped { get; init; }
}

/// <param name="Name">As Unicode has it; <c>Other</c> for the rare ones.</param>
/// <param name="Letters">How many.</param>
public sealed record ScriptCount(string Name, long Letters);

/// <param name="From">Least length in UTF-16 units, a power of two; below twice as many.</param>
/// <param name="Documents">How many have it.</param>
public sealed record LengthCount(long From, long Documents);

/// <param name="At">File and line.</param>
/// <param name="Kind">A word: <c>empty</c>, <c>not_json</c>, <c>no_text</c>, <c>wrong_field</c>, <c>lone_surrogate</c>, <c>nul</c>, <c>not_utf8</c>, <c>too_long</c>.</param>
/// <param name="Detail">What of it is wrong, or its beginning.</param>
public sealed record BadRowView(string At, string Kind, string Detail);

/// <param name="Reason">In a few words.</param>
/// <param name="Count">How many.</param>
/// <param name="Names">The first of them.</param>
public sealed record SkippedView(string Reason, long Count, IReadOnlyList<string> Names);
