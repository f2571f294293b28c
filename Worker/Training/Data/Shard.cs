using System.IO.MemoryMappedFiles;
using System.Text;
using System.Text.Json;
using Hearth.Data;
using Hearth.Models;

namespace Hearth.Training.Data;

/// <summary>A shard through a memory map: opening reads header and offsets, reading copies only the tokens asked for.</summary>
public sealed class Shard : IDisposable
{
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly int _width;
    private readonly long _offsets;

    private Shard(MemoryMappedFile map, MemoryMappedViewAccessor view, int width, long tokens, long documents, string tokenizer)
    {
        (_map, _view, _width, Tokens, DocumentCount, TokenizerSha256) = (map, view, width, tokens, documents, tokenizer);
        _offsets = (ShardWriter.HeaderBytes + (tokens * width) + 7) / 8 * 8;
    }

    public long Tokens { get; }

    public long DocumentCount { get; }

    public string TokenizerSha256 { get; }

    /// <summary>Whether some tokens alone are targets; see <see cref="ReadTargets"/>.</summary>
    public bool IsMasked { get; private init; }

    /// <summary>What is said of each document; null where the shard is one stream of tokens. Read whole, a few bytes a document.</summary>
    public IReadOnlyList<RowMetadata>? Rows { get; private init; }

    /// <exception cref="DatasetException">The header does not fit the file, or an offset its neighbours; names field and value.</exception>
    public static Shard Open(string path)
    {
        long length = new FileInfo(path).Length;
        Require(length >= ShardWriter.HeaderBytes, path, "length", length, $"at least {ShardWriter.HeaderBytes} bytes");
        var map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        var view = map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        try
        {
            byte[] header = new byte[ShardWriter.HeaderBytes];
            view.ReadArray(0, header, 0, header.Length);
            Require(header.AsSpan(0, 4).SequenceEqual(ShardWriter.Magic), path, "magic", Convert.ToHexString(header, 0, 4), "QPK1");
            Require(BitConverter.ToUInt32(header, 4) == 1, path, "version", BitConverter.ToUInt32(header, 4), "1");
            uint width = BitConverter.ToUInt32(header, 8);
            Require(width is 2 or 4, path, "dtype", width, "2 or 4");
            ulong tokens = BitConverter.ToUInt64(header, 16), documents = BitConverter.ToUInt64(header, 24);
            Require(tokens <= (ulong)length / width && documents <= (ulong)length / 8, path, "n_tokens", tokens, $"what {length} bytes hold");
            uint flags = BitConverter.ToUInt32(header, 12);
            Require(flags is 0 or ShardWriter.Masked, path, "flags", flags, "0 or 1");
            bool masked = flags == ShardWriter.Masked;
            long need = ((ShardWriter.HeaderBytes + ((long)tokens * width) + 7) / 8 * 8) + ((long)documents * 8) + (masked ? ((long)tokens + 7) / 8 : 0);
            Require(length >= need, path, "length", length, $"{need} bytes for {tokens} tokens and {documents} documents");
            var shard = new Shard(map, view, (int)width, (long)tokens, (long)documents, Convert.ToHexStringLower(header.AsSpan(32, 32)))
            {
                IsMasked = masked,
                Rows = length > need ? ReadRows(path, need, (long)documents) : null,
            };
            shard.CheckOffsets(path);
            return shard;
        }
        catch
        {
            view.Dispose();
            map.Dispose();
            throw;
        }
    }

    /// <summary>Copies tokens from <paramref name="start"/> on.</summary>
    public void Read(long start, Span<int> tokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + tokens.Length, Tokens, nameof(start));
        for (int i = 0; i < tokens.Length; i++)
        {
            long at = ShardWriter.HeaderBytes + ((start + i) * _width);
            tokens[i] = _width == 2 ? _view.ReadUInt16(at) : _view.ReadInt32(at);
        }
    }

    /// <summary>Copies tokens from <paramref name="start"/> on with their labels: the token itself where it is a target, −100 elsewhere.</summary>
    public void ReadLabelled(long start, Span<int> tokens, Span<int> labels)
    {
        Read(start, tokens);
        bool[] targets = new bool[tokens.Length];
        ReadTargets(start, targets);
        for (int i = 0; i < targets.Length; i++)
        {
            labels[i] = targets[i] ? tokens[i] : TrainingRows.Ignored;
        }
    }

    /// <summary>Which tokens from <paramref name="start"/> on are targets; all of them where the shard has no mask.</summary>
    public void ReadTargets(long start, Span<bool> targets)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + targets.Length, Tokens, nameof(start));
        long mask = _offsets + (DocumentCount * sizeof(long));
        for (int i = 0; i < targets.Length; i++)
        {
            long at = start + i;
            targets[i] = !IsMasked || (_view.ReadByte(mask + (at / 8)) & (1 << (int)(at % 8))) != 0;
        }
    }

    /// <summary>The first token of a document and their number, its end token among them.</summary>
    public (long Start, int Length) Extent(long document)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(document);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(document, DocumentCount);
        long start = Offset(document), end = document + 1 < DocumentCount ? Offset(document + 1) : Tokens;
        return (start, checked((int)(end - start)));
    }

    /// <summary>For each token from <paramref name="start"/> on, its document, counted from that of the first.</summary>
    public void Documents(long start, Span<int> documents)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + documents.Length, Tokens, nameof(start));
        long next = DocumentAfter(start);
        int document = 0;
        for (int i = 0; i < documents.Length; i++)
        {
            // Documents without tokens begin where the next one does.
            for (; next < DocumentCount && Offset(next) <= start + i; next++)
            {
                document++;
            }

            documents[i] = document;
        }
    }

    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
    }

    // The first document that begins after a token.
    private long DocumentAfter(long token)
    {
        long low = 0, high = DocumentCount;
        while (low < high)
        {
            long middle = (low + high) / 2;
            (low, high) = Offset(middle) <= token ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    // Extents and the search for a token's document rest on it.
    private void CheckOffsets(string path)
    {
        const int Piece = 1 << 13;
        long[] offsets = new long[Piece];
        long before = 0;
        for (long first = 0; first < DocumentCount; first += Piece)
        {
            int count = _view.ReadArray(_offsets + (first * sizeof(long)), offsets, 0, (int)Math.Min(Piece, DocumentCount - first));
            for (int i = 0; i < count; i++)
            {
                long most = first + i == 0 ? 0 : Tokens;
                Require(offsets[i] >= before && offsets[i] <= most, path, $"the offset of document {first + i}", offsets[i], most == before ? $"{most}" : $"{before} to {most}");
                before = offsets[i];
            }
        }
    }

    private long Offset(long document) => _view.ReadInt64(_offsets + (document * sizeof(long)));

    private static List<RowMetadata> ReadRows(string path, long start, long documents)
    {
        using var file = File.OpenRead(path);
        file.Position = start;
        using var lines = new StreamReader(file, Encoding.UTF8);
        var rows = new List<RowMetadata>();
        while (lines.ReadLine() is { } line)
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                string? wrong = RowMetadata.Read(json.RootElement, out var row);
                Require(wrong is null, path, $"row {rows.Count}", line, "what the format's row metadata holds");
                rows.Add(row);
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                throw new DatasetException($"The shard {Path.GetFileName(path)} has row {rows.Count} {line}. Allowed: a JSON object.");
            }
        }

        Require(rows.Count == documents, path, "rows of metadata", rows.Count, $"{documents}, one per document");
        return rows;
    }

    private static void Require(bool holds, string path, string field, object value, string allowed)
    {
        if (!holds)
        {
            throw new DatasetException($"The shard {Path.GetFileName(path)} has {field} {value}. Allowed: {allowed}.");
        }
    }
}
