using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Hearth.Tokenizers;

/// <summary>
/// Byte-level longest match: special tokens are found first, then the longest piece that the text's UTF-8 goes on with is taken
/// again and again. Ids: four core tokens, the pieces (every byte among them), then 128 special slots.
/// </summary>
public sealed class LengthMaxTokenizer : ITokenizer
{
    public const string ModelType = "LengthMax";

    /// <summary>Places for special tokens after the pieces.</summary>
    public const int Slots = 128;

    /// <summary>Core tokens, bytes and slots.</summary>
    public const int LeastVocabulary = 4 + 256 + Slots;
    private const int LongestPiece = 256;
    private const int Often = 1 << 14;
    private readonly byte[]?[] _pieces;
    private readonly Dictionary<string, int> _specials;
    private readonly string?[] _specialNames;
    private readonly PieceTrie _trie = new();
    private readonly SpecialFinder _finder;

    private LengthMaxTokenizer(byte[] file, byte[]?[] pieces, Dictionary<string, int> specials)
    {
        (File, _pieces, _specials) = (file, pieces, specials);
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(file));
        _specialNames = new string?[pieces.Length];
        foreach (var (name, id) in specials)
        {
            _specialNames[id] = name;
        }

        for (int id = 0; id < pieces.Length; id++)
        {
            if (pieces[id] is { } piece)
            {
                _trie.Add(piece, id);
            }
        }

        _finder = new SpecialFinder(specials.Keys);
    }

    public byte[] File { get; }

    public string FileName => TokenizerFile.JsonName;

    public string Sha256 { get; }

    public int VocabSize => _pieces.Length;

    public int EndToken => Special(SpecialTokens.End);

    public int Special(string token) => _specials.GetValueOrDefault(token, -1);

    /// <exception cref="TokenizerException">The file is no such tokenizer; says which field is wrong.</exception>
    public static LengthMaxTokenizer Parse(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var model = document.RootElement.GetProperty("model");
            Require(model.GetProperty("type").GetString() == ModelType, "model.type", model.GetProperty("type").GetString(), ModelType);
            int size = model.GetProperty("vocab_size").GetInt32();
            Require(size is >= LeastVocabulary and <= 1 << 24, "model.vocab_size", size, $"{LeastVocabulary} to {1 << 24}");
            var specials = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var token in document.RootElement.GetProperty("added_tokens").EnumerateArray())
            {
                int id = token.GetProperty("id").GetInt32();
                string content = token.GetProperty("content").GetString()!;
                bool free = content.Length > 0 && id >= 0 && id < size && !specials.ContainsValue(id) && specials.TryAdd(content, id);
                Require(free, $"added_tokens[{specials.Count}]", $"{content} with the id {id}", $"a new name with a new id below {size}");
            }

            return new LengthMaxTokenizer(json, Pieces(model.GetProperty("pieces"), size, specials), specials);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new TokenizerException($"tokenizer.json cannot be read: {e.Message}");
        }
    }

    public int[] Encode(string text, LongStep step = default)
    {
        var ids = new List<int>((text.Length / 3) + 1);
        foreach (var (start, length, special) in _finder.Split(text))
        {
            if (special is not null)
            {
                ids.Add(_specials[special]);
                continue;
            }

            byte[] bytes = Encoding.UTF8.GetBytes(text, start, length);
            ReadOnlySpan<byte> left = bytes;
            while (left.Length > 0)
            {
                int taken = _trie.Longest(left, out int id);
                ids.Add(id);
                left = left[taken..];
                if (ids.Count % Often == 0)
                {
                    step.At((start + (length * (1 - (left.Length / (double)bytes.Length)))) / text.Length);
                }
            }
        }

        return [.. ids];
    }

    public string Decode(IEnumerable<int> ids, bool withSpecial = false)
    {
        using var bytes = new MemoryStream();
        foreach (int id in ids.Where(id => id >= 0 && id < VocabSize))
        {
            bytes.Write(_pieces[id] ?? (withSpecial && _specialNames[id] is { } name ? Encoding.UTF8.GetBytes(name) : []));
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    public int ByteCount(int id, int before) => id >= 0 && id < VocabSize ? _pieces[id]?.Length ?? 0 : 0;

    /// <summary>The file of pieces in the order of their ids; where they are few, ids between them and the slots stay unused.</summary>
    public static byte[] Write(IReadOnlyList<byte[]> pieces, int vocabSize)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            int core = SpecialTokens.LengthMaxCore.Count, firstSlot = vocabSize - Slots;
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteStartArray("added_tokens");
            for (int id = 0; id < core; id++)
            {
                WriteSpecial(json, SpecialTokens.LengthMaxCore[id], id);
            }

            for (int slot = 0; slot < Slots; slot++)
            {
                WriteSpecial(json, slot < SpecialTokens.LengthMaxSlots.Count ? SpecialTokens.LengthMaxSlots[slot] : $"<|reserved_{slot}|>", firstSlot + slot);
            }

            json.WriteEndArray();
            json.WriteStartObject("model");
            json.WriteString("type", ModelType);
            json.WriteNumber("vocab_size", vocabSize);
            json.WriteStartObject("pieces");
            for (int i = 0; i < pieces.Count; i++)
            {
                json.WriteNumber(string.Concat(pieces[i].Select(ByteLevel.Character)), core + i);
            }

            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private static void WriteSpecial(Utf8JsonWriter json, string content, int id)
    {
        json.WriteStartObject();
        json.WriteNumber("id", id);
        json.WriteString("content", content);
        json.WriteEndObject();
    }

    private static byte[]?[] Pieces(JsonElement entries, int size, Dictionary<string, int> specials)
    {
        var pieces = new byte[]?[size];
        var taken = specials.Values.ToHashSet();
        bool[] single = new bool[256];
        foreach (var entry in entries.EnumerateObject())
        {
            int id = entry.Value.GetInt32();
            byte[]? bytes = ByteLevel.Bytes(entry.Name);
            Require(bytes is { Length: > 0 and <= LongestPiece }, $"model.pieces, {entry.Name}", "no bytes", $"1 to {LongestPiece} characters of the byte alphabet");
            Require(id >= 0 && id < size && taken.Add(id), $"model.pieces, {entry.Name}", id, $"an id below {size} that no other token has");
            pieces[id] = bytes;
            if (bytes!.Length == 1)
            {
                single[bytes[0]] = true;
            }
        }

        int missing = Array.IndexOf(single, false);
        Require(missing < 0, "model.pieces", $"without the byte 0x{missing:X2}", "all 256 bytes");
        return pieces;
    }

    private static void Require(bool holds, string field, object? value, string allowed)
    {
        if (!holds)
        {
            throw new TokenizerException($"{field} of tokenizer.json is {value}. Allowed: {allowed}.");
        }
    }
}
