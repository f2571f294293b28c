using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Data;
using Hearth.Runs;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>The writing of one blob.</summary>
internal sealed class CanonicalWriter : IDisposable
{
    private const int BufferBytes = 1 << 20;
    private const int RowsPerTelling = 1000;

    // Longer texts go to the writer in pieces: it asks for three bytes a letter at once.
    private const int MostAtOnce = 1 << 16;
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly IReadOnlyList<SourceFile> _files;
    private readonly ReadingRules _rules;
    private readonly Stream _target;
    private readonly Action<ReadingProgress>? _tell;
    private readonly Unpacker _unpacker;
    private readonly ManifestBuilder _manifest = new();
    private readonly DatasetContent _content = new();
    private readonly DigestSet _seen;
    private readonly IncrementalHash _digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private bool? _chat;
    private bool _onlyLines = true;
    private int _entries;

    public CanonicalWriter(IReadOnlyList<SourceFile> files, ReadingRules rules, Stream target, Action<ReadingProgress>? tell)
    {
        (_files, _rules, _target, _tell) = (files, rules, target, tell);
        _unpacker = new Unpacker(rules.Limits, rules.Scratch);
        _seen = new DigestSet(rules.Scratch);
    }

    public void Dispose()
    {
        _content.Dispose();
        _seen.Dispose();
        _digest.Dispose();
    }

    public async Task<CanonicalBlob> WriteAsync(CancellationToken stop)
    {
        using var sha = SHA256.Create();
        long start = _target.Position;
        await using (var hashing = new CryptoStream(_target, sha, CryptoStreamMode.Write, leaveOpen: true))
        await using (var buffered = new BufferedStream(hashing, BufferBytes))
        await using (var json = new Utf8JsonWriter(buffered, Relaxed))
        {
            await foreach (var entry in _unpacker.ReadAsync(_files, stop))
            {
                _entries++;
                _onlyLines &= entry.Form != SourceForm.Text;
                await foreach (var row in DocumentReader.ReadAsync(entry, entry.IsAlone && _files.Count == 1, stop))
                {
                    if (Take(row) is { } document)
                    {
                        await WriteLineAsync(json, document, stop);
                        buffered.WriteByte((byte)'\n');
                        json.Reset();
                    }
                }
            }
        }

        Check();
        Tell(isRead: true);
        string kind = _chat == true ? DatasetKinds.Chat : _onlyLines ? DatasetKinds.JsonLines : DatasetKinds.Text;
        return new CanonicalBlob(Convert.ToHexStringLower(sha.Hash!), _target.Position - start, _entries, kind, _content.Finish(), _manifest.Build(_unpacker.Skipped));
    }

    /// <summary>The document to write; null where the row is left out, which is counted.</summary>
    private SourceDocument? Take(SourceRow row)
    {
        if (_manifest.Rows % RowsPerTelling == 0)
        {
            Tell(isRead: false);
        }

        if (row.Bad is { } bad)
        {
            _manifest.Bad.Add(bad);
            return null;
        }

        var document = row.Document;
        _chat ??= document.Turns is not null;
        if (_chat != document.Turns is not null)
        {
            throw Mixed(document, _chat.Value);
        }

        if (!_seen.Add(DigestOf(document)))
        {
            _manifest.AddDuplicate();
            return null;
        }

        _manifest.Add(document);
        return document;
    }

    private async Task WriteLineAsync(Utf8JsonWriter json, SourceDocument document, CancellationToken stop)
    {
        json.WriteStartObject();
        json.WriteString("name", document.Name);
        if (document.Turns is { } turns)
        {
            ChatRow.Write(json, turns);
            _content.Add(turns, document.Metadata);
        }
        else
        {
            json.WritePropertyName("text");
            var text = document.Text;
            for (; text.Length > MostAtOnce; text = text[MostAtOnce..])
            {
                json.WriteStringValueSegment(text.Span[..MostAtOnce], isFinalSegment: false);
                await json.FlushAsync(stop);
            }

            json.WriteStringValueSegment(text.Span, isFinalSegment: true);
            _content.Add(document.Text.Span, document.Metadata);
        }

        document.Metadata.Write(json);
        json.WriteEndObject();
        await json.FlushAsync(stop);
    }

    // Sixteen bytes of a SHA-256: of a billion documents two differing ones have the same with a chance of 2^-69.
    private UInt128 DigestOf(SourceDocument document)
    {
        _digest.AppendData(MemoryMarshal.AsBytes(document.Turns is { } turns ? ChatRow.ToJson(turns) : document.Text.Span));
        if (!document.Metadata.IsEmpty)
        {
            // No text ends in half a letter, so no text can pass for this.
            _digest.AppendData([0]);
            _digest.AppendData(MemoryMarshal.AsBytes(document.Metadata.ToJson().AsSpan()));
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        _digest.GetHashAndReset(hash);
        return MemoryMarshal.Read<UInt128>(hash);
    }

    private void Tell(bool isRead) => _tell?.Invoke(new ReadingProgress(_unpacker.BytesRead, _manifest.Documents, _manifest.Bad.Count, _manifest.Duplicates, isRead));

    private void Check()
    {
        var bad = _manifest.Bad;
        if (_rules.BadRows.IsExceeded(bad.Count, _manifest.Rows))
        {
            string allowed = $"{Words.Number(_rules.BadRows.Least)} bad rows, or {Percent(_rules.BadRows.MostShare)} of all (HEARTH_IMPORT_BAD_ROWS, HEARTH_IMPORT_BAD_SHARE)";
            throw new DatasetRefusedException(
                "files", $"{Words.Number(bad.Count)} bad rows", allowed, $"{Words.Number(bad.Count)} of {Words.Number(_manifest.Rows)} rows are bad ({Percent((double)bad.Count / _manifest.Rows)}): {bad.InWords()}. Allowed: {allowed}.");
        }

        if (_manifest.Documents < 2)
        {
            string documents = _manifest.Documents == 1 ? "1 document" : "no document";
            throw new DatasetRefusedException(
                "files", documents, "at least 2 documents", $"The dataset has {documents}{LeftOut()}; one must train and another validate. Allowed: at least 2 documents, as files or as lines of a .jsonl.");
        }
    }

    private string LeftOut()
    {
        string[] left =
        [
            .. _manifest.Bad.Count > 0 ? [$"bad rows: {_manifest.Bad.InWords()}"] : Array.Empty<string>(),
            .. _manifest.Duplicates > 0 ? [$"{Words.Number(_manifest.Duplicates)} duplicates"] : Array.Empty<string>(),
            .. _unpacker.Skipped.ToList().Select(s => $"{Words.Number(s.Count)} × {s.Reason}, as {s.Names[0]}"),
        ];
        return left.Length == 0 ? "" : $" ({string.Join("; ", left)})";
    }

    private static string Percent(double share) => $"{Words.Number(Math.Round(share * 100, 1))} %";

    private static DatasetRefusedException Mixed(SourceDocument document, bool chat)
    {
        string before = chat ? "conversations" : "texts", now = chat ? "a text" : "a conversation";
        return new DatasetRefusedException("files", document.Name, $"{before} alone", $"{document.Name} is {now}, and the documents before it are {before}. Allowed: one kind in a dataset; import the other as a dataset of its own.");
    }
}
