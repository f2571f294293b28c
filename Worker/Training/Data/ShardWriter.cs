using System.Runtime.InteropServices;
using System.Text;
using Hearth.Data;

namespace Hearth.Training.Data;

/// <summary>
/// Packed tokens, format QPK1, little-endian. A 64-byte header: magic, u32 version 1, u32 width (2 or 4 bytes a token),
/// u32 flags (1 = there is a loss mask), u64 tokens, u64 documents, 32-byte SHA-256 of the tokenizer; then the tokens, zeros up to a multiple of
/// 8, then a u64 offset in tokens per document, the first 0; then, where flagged, a bit per token, lowest first, that is set where the token is a
/// target; then, in a shard that is read row by row, a JSON line of <see cref="RowMetadata"/> per document to the end of the file. Texts end with
/// the end token, conversations as their template says. Tokens go to the file as they come; in memory are an offset a document and a bit a target.
/// </summary>
public sealed class ShardWriter : IDisposable
{
    internal const int HeaderBytes = 64;
    internal const uint Masked = 1;
    private readonly FileStream _file;
    private readonly string _tokenizerSha256;
    private readonly int _width;
    private readonly List<RowMetadata>? _metadata;
    private readonly List<ulong> _offsets = [];
    private MaskBits? _mask;

    /// <param name="path">Of the file.</param>
    /// <param name="tokenizerSha256">64 hex digits.</param>
    /// <param name="vocabSize">Decides the width of a token.</param>
    /// <param name="hasMetadata">Whether the shard is read row by row; else it is one stream of tokens.</param>
    public ShardWriter(string path, string tokenizerSha256, int vocabSize, bool hasMetadata = false)
    {
        _file = File.Create(path);
        _tokenizerSha256 = tokenizerSha256;
        _width = vocabSize <= 1 << 16 ? 2 : 4;
        _metadata = hasMetadata ? [] : null;
        _file.Write(new byte[HeaderBytes]);
    }

    internal static ReadOnlySpan<byte> Magic => "QPK1"u8;

    /// <summary>Tokens so far.</summary>
    public long Tokens { get; private set; }

    /// <summary>Documents so far.</summary>
    public long Documents => _offsets.Count;

    /// <summary>Writes a whole shard.</summary>
    /// <param name="path">Of the file.</param>
    /// <param name="documents">Ids of each.</param>
    /// <param name="tokenizerSha256">64 hex digits.</param>
    /// <param name="vocabSize">Decides the width of a token.</param>
    public static void Write(string path, IEnumerable<int[]> documents, string tokenizerSha256, int vocabSize)
    {
        using var shard = new ShardWriter(path, tokenizerSha256, vocabSize);
        foreach (int[] document in documents)
        {
            shard.Add(document);
        }

        shard.Finish();
    }

    /// <summary>Takes the next document.</summary>
    /// <param name="ids">Its tokens.</param>
    /// <param name="targets">Which of them are targets; null = all. The same for all documents of a shard: null or not.</param>
    /// <param name="metadata">What is said of it.</param>
    public void Add(int[] ids, bool[]? targets = null, RowMetadata metadata = default)
    {
        if (targets is not null)
        {
            (_mask ??= new MaskBits()).Add(targets);
        }

        _metadata?.Add(metadata);
        _offsets.Add((ulong)Tokens);
        Tokens += ids.Length;
        _file.Write(_width == 2
            ? MemoryMarshal.AsBytes(Array.ConvertAll(ids, t => (ushort)t).AsSpan())
            : MemoryMarshal.AsBytes(ids.AsSpan()));
    }

    /// <summary>Writes what stands behind the tokens, and the header last; closes the file.</summary>
    public void Finish()
    {
        _file.Write(new byte[(8 - (_file.Position % 8)) % 8]);
        _file.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_offsets)));
        _file.Write(_mask is null ? [] : _mask.Bytes);
        foreach (var row in _metadata ?? [])
        {
            _file.Write(Encoding.UTF8.GetBytes(row.ToJson() + "\n"));
        }

        _file.Position = 0;
        _file.Write(Magic);
        _file.Write(BitConverter.GetBytes(1u));
        _file.Write(BitConverter.GetBytes((uint)_width));
        _file.Write(BitConverter.GetBytes(_mask is null ? 0u : Masked));
        _file.Write(BitConverter.GetBytes((ulong)Tokens));
        _file.Write(BitConverter.GetBytes((ulong)_offsets.Count));
        _file.Write(Convert.FromHexString(_tokenizerSha256));
        _file.Flush(flushToDisk: true);
        _file.Dispose();
    }

    public void Dispose() => _file.Dispose();

    private sealed class MaskBits
    {
        private readonly List<byte> _bytes = [];
        private int _bits;

        internal ReadOnlySpan<byte> Bytes => CollectionsMarshal.AsSpan(_bytes);

        internal void Add(bool[] targets)
        {
            foreach (bool target in targets)
            {
                if (_bits % 8 == 0)
                {
                    _bytes.Add(0);
                }

                _bytes[^1] |= (byte)(target ? 1 << (_bits % 8) : 0);
                _bits = (_bits + 1) % 8;
            }
        }
    }
}
