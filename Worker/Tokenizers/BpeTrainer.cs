using System.Text.Encodings.Web;
using System.Text.Json;

namespace Hearth.Tokenizers;

/// <summary>
/// Learns byte-level BPE merges: the most frequent adjacent pair first, ties to the pair whose ids come first.
/// </summary>
public sealed class BpeTrainer : ITokenizerTrainer
{
    public const int LeastVocabulary = 257;
    private const double CountingShare = 0.1;

    private readonly Dictionary<string, long> _pieces = new(StringComparer.Ordinal);

    public void Add(string document, LongStep step = default) => ByteLevel.CountPieces(document, _pieces, step);

    /// <summary>A tokenizer of at most <paramref name="vocabSize"/> entries: the end token is 0, bytes 1 to 256, then merges.</summary>
    public ITokenizer Train(int vocabSize, LongStep step = default)
    {
        if (vocabSize < LeastVocabulary)
        {
            throw new ArgumentOutOfRangeException(nameof(vocabSize), vocabSize, $"A byte-level vocabulary holds 256 bytes and {SpecialTokens.End}. Allowed: at least {LeastVocabulary}.");
        }

        var entries = new List<string> { SpecialTokens.End };
        entries.AddRange(ByteLevel.Alphabet.Select(c => c.ToString()));
        int[] idOf = new int[256];
        foreach (var (at, character) in ByteLevel.Alphabet.Index())
        {
            idOf[ByteLevel.Bytes(character.ToString())![0]] = at + 1;
        }

        var pairs = ByteLevel.CountPairs(_pieces, idOf, (_, _) => 1, step.Part(0, CountingShare));
        var merges = new List<(string, string)>();
        var learning = step.Part(CountingShare, 1);
        while (entries.Count < vocabSize && pairs.TakeBest() is { } best)
        {
            merges.Add((entries[best.Left], entries[best.Right]));
            pairs.Merge(best, entries.Count, step.Stop);
            entries.Add(entries[best.Left] + entries[best.Right]);
            learning.At(entries.Count / (double)vocabSize);
        }

        return BpeTokenizer.Parse(Write(entries, merges));
    }

    private static byte[] Write(List<string> entries, List<(string Left, string Right)> merges)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            json.WritePropertyName("added_tokens");
            json.WriteRawValue($$"""[{"id":0,"content":"{{SpecialTokens.End}}","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}]""");
            json.WriteNull("normalizer");
            json.WritePropertyName("pre_tokenizer");
            json.WriteRawValue("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""");
            json.WriteNull("post_processor");
            json.WritePropertyName("decoder");
            json.WriteRawValue("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""");
            json.WriteStartObject("model");
            json.WriteString("type", "BPE");
            foreach (string name in (string[])["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
            {
                json.WriteNull(name);
            }

            foreach (string name in (string[])["fuse_unk", "byte_fallback", "ignore_merges"])
            {
                json.WriteBoolean(name, false);
            }

            json.WriteStartObject("vocab");
            for (int id = 0; id < entries.Count; id++)
            {
                json.WriteNumber(entries[id], id);
            }

            json.WriteEndObject();
            json.WriteStartArray("merges");
            foreach (var (left, right) in merges)
            {
                json.WriteStartArray();
                json.WriteStringValue(left);
                json.WriteStringValue(right);
                json.WriteEndArray();
            }

            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }
}
