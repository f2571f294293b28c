using System.Numerics;
using System.Text;
using Hearth.Api;
using Hearth.Coordinator.Datasets.Sources;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>Counts what a dataset's manifest tells, document by document.</summary>
public sealed class ManifestBuilder
{
    private readonly Scripts _scripts = new();
    private readonly long[] _lengths = new long[64];
    private long _textBytes;
    private long _characters;
    private long _turns;

    public long Documents { get; private set; }

    public long Duplicates { get; private set; }

    public BadRows Bad { get; } = new();

    /// <summary>All rows: documents, their duplicates and those that are bad.</summary>
    public long Rows => Documents + Duplicates + Bad.Count;

    public void Add(SourceDocument document)
    {
        long length = document.Turns is null ? Count(document.Text.Span) : document.Turns.Sum(t => Count(t.Content));
        _turns += document.Turns?.Count ?? 0;
        _lengths[BitOperations.Log2((ulong)Math.Max(1, length))]++;
        Documents++;
    }

    public void AddDuplicate() => Duplicates++;

    public DatasetManifest Build(SkippedEntries skipped) => new()
    {
        Documents = Documents,
        TextBytes = _textBytes,
        Characters = _characters,
        Turns = _turns,
        Duplicates = Duplicates,
        Scripts = [.. _scripts.ToList().Select(s => new ScriptCount(s.Name, s.Letters))],
        Lengths = Lengths(),
        BadRows = Bad.Counts.ToDictionary(b => BadRows.WordOf(b.Key), b => b.Value, StringComparer.Ordinal),
        BadRowSamples = [.. Bad.Samples.Select(b => new BadRowView(b.At, BadRows.WordOf(b.Kind), b.Detail))],
        Skipped = [.. skipped.ToList().Select(s => new SkippedView(s.Reason, s.Count, s.Names))],
    };

    private long Count(ReadOnlySpan<char> text)
    {
        _scripts.Add(text);
        _textBytes += Encoding.UTF8.GetByteCount(text);
        _characters += text.Length;
        return text.Length;
    }

    private LengthCount[] Lengths()
    {
        int first = Array.FindIndex(_lengths, n => n > 0), last = Array.FindLastIndex(_lengths, n => n > 0);
        return first < 0 ? [] : [.. Enumerable.Range(first, last - first + 1).Select(i => new LengthCount(1L << i, _lengths[i]))];
    }
}
