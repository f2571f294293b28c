using Hearth.Runs;

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

/// <summary>POST /api/v1/datasets/imports: exactly one of the three sources.</summary>
/// <param name="Name">Of the dataset.</param>
/// <param name="License">A note on it.</param>
/// <param name="Paths">Files and folders that the coordinator's machine holds (admin only).</param>
/// <param name="Url">An address that the coordinator fetches.</param>
/// <param name="UploadId">An upload that has come to its end.</param>
public sealed record StartImport(string Name, string License, IReadOnlyList<string>? Paths = null, string? Url = null, Guid? UploadId = null);

public enum ImportState
{
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

/// <summary>An import, at work or over.</summary>
public sealed record ImportView
{
    public required Guid Id { get; init; }

    /// <summary>Of the dataset that it makes.</summary>
    public required string Name { get; init; }
    public required string License { get; init; }

    /// <summary>For people: paths, an address, the name of an uploaded file.</summary>
    public required string Source { get; init; }
    public required ImportState State { get; init; }

    /// <summary><c>waiting</c>, <c>opening</c>, <c>reading</c>, <c>storing</c>, <c>over</c>.</summary>
    public required string Stage { get; init; }

    /// <summary>Of its files, as they lie there.</summary>
    public required long BytesRead { get; init; }

    /// <summary>All there are; null where nobody knows.</summary>
    public long? BytesTotal { get; init; }

    /// <summary>Documents that were read so far, and rows that were left out.</summary>
    public required long Documents { get; init; }
    public required long BadRows { get; init; }
    public required long Duplicates { get; init; }

    /// <summary>Why it failed.</summary>
    public FieldError? Error { get; init; }

    /// <summary>What it made, as long as that is there.</summary>
    public Guid? DatasetId { get; init; }
    public required string CreatedBy { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>POST /api/v1/datasets/uploads.</summary>
/// <param name="FileName">Its ending says what it is where its content does not.</param>
/// <param name="Bytes">All that will come; null where the sender does not know.</param>
public sealed record StartUpload(string FileName, long? Bytes = null);

/// <param name="Id">Of the upload.</param>
/// <param name="FileName">As it was announced.</param>
/// <param name="Offset">Bytes that are there: where the next part begins.</param>
/// <param name="Bytes">As announced.</param>
/// <param name="PartBytes">How long a part should be; the last may be shorter.</param>
public sealed record UploadView(Guid Id, string FileName, long Offset, long? Bytes, long PartBytes);

/// <summary>GET /api/v1/datasets/{id}/rows.</summary>
/// <param name="Rows">In the dataset's order.</param>
/// <param name="Next">Cursor of the rows behind them; null at the end.</param>
public sealed record DatasetRows(IReadOnlyList<DatasetRow> Rows, string? Next);

/// <summary>A document as people look at it.</summary>
public sealed record DatasetRow
{
    /// <summary>File and line that it came from.</summary>
    public required string Name { get; init; }

    /// <summary>Its beginning; null for a conversation.</summary>
    public string? Text { get; init; }

    /// <summary>Its first turns; null for a text.</summary>
    public IReadOnlyList<DatasetTurn>? Turns { get; init; }

    /// <summary>Of all of it, as UTF-16 units.</summary>
    public required long Characters { get; init; }

    /// <summary>More of it is there than is shown.</summary>
    public required bool IsCut { get; init; }
    public int? DecisionPos { get; init; }
    public int? DecisionLabel { get; init; }
}

public sealed record DatasetTurn(string Role, string Content);
