using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Hearth.Tokenizers;

/// <summary>
/// Byte-level BPE in Hugging Face's <c>tokenizer.json</c> form. Every text has an encoding, and decoding gives it back. The
/// file's bytes are kept: their SHA-256 is the tokenizer's identity.
/// </summary>
public sealed class BpeTokenizer : ITokenizer
{
    private const int CacheLimit = 200_000;
    private const int LongestCached = 64;
    private const int Often = 1 << 12;
    private readonly Dictionary<string, int> _ids;
    private readonly MergeTable _merges;
    private readonly byte[]?[] _bytes;
    private readonly SpecialFinder _finder;
    private readonly HashSet<int> _addedIds;
    private readonly int[] _byteIds = new int[256];
    private readonly Dictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cached;

    private BpeTokenizer(byte[] json, Dictionary<string, int> ids, MergeTable merges, string[] added)
    {
        (File, _ids, _merges, _finder) = (json, ids, merges, new SpecialFinder(added));
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(json));
        VocabSize = ids.Values.DefaultIfEmpty(-1).Max() + 1;
        _bytes = new byte[]?[VocabSize];
        _addedIds = [.. added.Select(a => ids[a])];
        var special = added.ToHashSet(StringComparer.Ordinal);
        foreach (var (entry, id) in ids)
        {
            _bytes[id] = special.Contains(entry) ? Encoding.UTF8.GetBytes(entry) : ByteLevel.Bytes(entry) ?? Encoding.UTF8.GetBytes(entry);
        }

        for (int b = 0; b < 256; b++)
        {
            _byteIds[b] = ids.GetValueOrDefault(ByteLevel.Character((byte)b).ToString(), -1);
        }
    }

    public byte[] File { get; }

    public string FileName => TokenizerFile.JsonName;

    public string Sha256 { get; }

    public int VocabSize { get; }

    public int EndToken => Special(SpecialTokens.End);

    /// <summary>Id of an added token, or −1.</summary>
    public int Special(string token) => _ids.TryGetValue(token, out int id) && _addedIds.Contains(id) ? id : -1;

    public static BpeTokenizer Load(string path) => Parse(System.IO.File.ReadAllBytes(path));

    /// <exception cref="TokenizerException">The file is no byte-level BPE; says which field is wrong.</exception>
    public static BpeTokenizer Parse(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var model = root.GetProperty("model");
            Require(model.GetProperty("type").GetString() == "BPE", "model.type", "BPE");
            var pre = root.GetProperty("pre_tokenizer");
            Require(pre.GetProperty("type").GetString() == "ByteLevel" && !pre.GetProperty("add_prefix_space").GetBoolean(), "pre_tokenizer", "ByteLevel without a prefix space");
            Require(!root.TryGetProperty("normalizer", out var normalizer) || normalizer.ValueKind == JsonValueKind.Null, "normalizer", "null");
            var ids = model.GetProperty("vocab").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetInt32(), StringComparer.Ordinal);
            var added = new List<string>();
            foreach (var token in root.GetProperty("added_tokens").EnumerateArray())
            {
                string content = token.GetProperty("content").GetString()!;
                ids[content] = token.GetProperty("id").GetInt32();
                added.Add(content);
            }

            Require(ids.Values.All(id => id is >= 0 and < 1 << 24) && ids.Values.Distinct().Count() == ids.Count, "model.vocab", "distinct ids from 0");
            return new BpeTokenizer(json, ids, Merges(model.GetProperty("merges"), ids), [.. added.Where(a => a.Length > 0)]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new TokenizerException($"tokenizer.json cannot be read: {e.Message}");
        }
    }

    public int[] Encode(string text, LongStep step = default)
    {
        var ids = new List<int>(text.Length / 3);
        int pieces = 0;
        foreach (var (start, length, token) in _finder.Split(text))
        {
            if (token is not null)
            {
                ids.Add(_ids[token]);
                continue;
            }

            var plain = text.AsSpan(start, length);
            foreach (var match in ByteLevel.Pieces(plain))
            {
                int at = start + match.Index;
                var piece = plain.Slice(match.Index, match.Length);
                ids.AddRange(piece.Length <= LongestCached ? Known(piece) : Merge(piece, step.Part(Share(at), Share(at + piece.Length))));
                if (++pieces % Often == 0)
                {
                    step.At(Share(at));
                }
            }
        }

        double Share(int at) => at / (double)text.Length;
        return [.. ids];
    }

    /// <summary>Bytes of an id whatever comes before it; an added token has none.</summary>
    public int ByteCount(int id, int before) => id >= 0 && id < _bytes.Length && _bytes[id] is { } known && !_addedIds.Contains(id) ? known.Length : 0;

    public string Decode(IEnumerable<int> ids, bool withSpecial = false)
    {
        using var bytes = new MemoryStream();
        foreach (int id in ids)
        {
            if (id >= 0 && id < _bytes.Length && _bytes[id] is { } known && (withSpecial || !_addedIds.Contains(id)))
            {
                bytes.Write(known);
            }
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    private static MergeTable Merges(JsonElement merges, Dictionary<string, int> ids)
    {
        var table = new MergeTable();
        foreach (var merge in merges.EnumerateArray())
        {
            string[] pair = merge.ValueKind == JsonValueKind.String
                ? merge.GetString()!.Split(' ', 2)
                : [merge[0].GetString()!, merge[1].GetString()!];
            if (pair.Length != 2 || !ids.TryGetValue(pair[0], out int left) || !ids.TryGetValue(pair[1], out int right) || !ids.TryGetValue(pair[0] + pair[1], out int whole))
            {
                throw new TokenizerException($"model.merges[{table.Count}] is {string.Join(' ', pair)}. Allowed: two entries of model.vocab whose join is an entry.");
            }

            table.TryAdd(new SymbolPair(left, right), table.Count, whole);
        }

        return table;
    }

    private static void Require(bool holds, string field, string allowed)
    {
        if (!holds)
        {
            throw new TokenizerException($"{field} of tokenizer.json is of a kind that is not supported. Allowed: {allowed}.");
        }
    }

    private int[] Known(ReadOnlySpan<char> piece)
    {
        if (_cached.TryGetValue(piece, out int[]? known))
        {
            return known;
        }

        int[] merged = Merge(piece, default);
        if (_cache.Count < CacheLimit)
        {
            _cached[piece] = merged;
        }

        return merged;
    }

    private int[] Merge(ReadOnlySpan<char> piece, LongStep step)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(piece)];
        Encoding.UTF8.GetBytes(piece, bytes);
        int[] symbols = new int[bytes.Length];
        int count = 0;
        foreach (byte b in bytes)
        {
            if (_byteIds[b] >= 0)
            {
                symbols[count++] = _byteIds[b];
            }
        }

        Array.Resize(ref symbols, count);
        int[] next = _merges.Apply(symbols, found: null, step);
        int merged = 0;
        for (int at = count > 0 ? 0 : -1; at >= 0; at = next[at])
        {
            symbols[merged++] = symbols[at];
        }

        Array.Resize(ref symbols, merged);
        return symbols;
    }
}
