using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Hearth.Training.Data;

/// <summary>
/// Learns byte-level BPE merges: the most frequent adjacent pair first, ties to the pair whose ids come first. Counts are kept
/// per pair with the words that hold it, so a merge touches only those words.
/// </summary>
public sealed class BpeTrainer
{
    public const string EndToken = "<eos>";
    public const int LeastVocabulary = 257;

    private readonly Dictionary<string, long> _pieces = new(StringComparer.Ordinal);

    /// <summary>Counts the pieces of one document.</summary>
    public void Add(string document)
    {
        foreach (string piece in ByteLevel.Pieces(document))
        {
            System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_pieces, piece, out _)++;
        }
    }

    /// <summary>A tokenizer of at most <paramref name="vocabSize"/> entries: the end token is 0, bytes 1 to 256, then merges.</summary>
    public BpeTokenizer Train(int vocabSize, Action<double>? progress = null, CancellationToken stop = default)
    {
        if (vocabSize < LeastVocabulary)
        {
            throw new ArgumentOutOfRangeException(nameof(vocabSize), vocabSize, $"A byte-level vocabulary holds 256 bytes and {EndToken}. Allowed: at least {LeastVocabulary}.");
        }

        var entries = new List<string> { EndToken };
        entries.AddRange(ByteLevel.Alphabet.Select(c => c.ToString()));
        var idOf = entries.Select((entry, id) => (entry, id)).ToDictionary(e => e.entry, e => e.id, StringComparer.Ordinal);
        var words = _pieces.OrderBy(p => p.Key, StringComparer.Ordinal)
            .Select(p => new Word([.. Encoding.UTF8.GetBytes(p.Key).Select(b => idOf[ByteLevel.Character(b).ToString()])], p.Value))
            .ToArray();
        var pairs = new PairCounts(words);
        var merges = new List<(string, string)>();
        while (entries.Count < vocabSize && pairs.TakeBest() is { } best)
        {
            stop.ThrowIfCancellationRequested();
            string joined = entries[best.Left] + entries[best.Right];
            merges.Add((entries[best.Left], entries[best.Right]));
            pairs.Merge(best, entries.Count);
            entries.Add(joined);
            progress?.Invoke(entries.Count / (double)vocabSize);
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
            json.WriteRawValue($$"""[{"id":0,"content":"{{EndToken}}","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}]""");
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

    internal sealed class Word(List<int> ids, long count)
    {
        internal List<int> Ids { get; } = ids;
        internal long Count { get; } = count;
    }

    /// <summary>Pair counts with a heap of candidates; an entry whose count is out of date goes back with the right one.</summary>
    private sealed class PairCounts
    {
        private readonly Word[] _words;
        private readonly Dictionary<(int Left, int Right), long> _counts = [];
        private readonly Dictionary<(int Left, int Right), HashSet<int>> _places = [];
        private readonly PriorityQueue<(int Left, int Right), (long Minus, int Left, int Right)> _heap = new();

        internal PairCounts(Word[] words)
        {
            _words = words;
            for (int w = 0; w < words.Length; w++)
            {
                Count(w, +1);
            }

            foreach (var (pair, count) in _counts)
            {
                _heap.Enqueue(pair, (-count, pair.Left, pair.Right));
            }
        }

        internal (int Left, int Right)? TakeBest()
        {
            while (_heap.TryDequeue(out var pair, out var priority))
            {
                long now = _counts.GetValueOrDefault(pair);
                if (now == -priority.Minus && now > 0)
                {
                    return pair;
                }

                if (now > 0)
                {
                    _heap.Enqueue(pair, (-now, pair.Left, pair.Right));
                }
            }

            return null;
        }

        internal void Merge((int Left, int Right) pair, int id)
        {
            var touched = new HashSet<(int, int)>();
            foreach (int w in _places[pair].ToArray())
            {
                Count(w, -1);
                var ids = _words[w].Ids;
                for (int i = 0; i + 1 < ids.Count; i++)
                {
                    if (ids[i] == pair.Left && ids[i + 1] == pair.Right)
                    {
                        ids[i] = id;
                        ids.RemoveAt(i + 1);
                    }
                }

                Count(w, +1, touched);
            }

            _counts.Remove(pair);
            _places.Remove(pair);
            foreach (var changed in touched)
            {
                _heap.Enqueue(changed, (-_counts[changed], changed.Item1, changed.Item2));
            }
        }

        private void Count(int word, int sign, HashSet<(int, int)>? touched = null)
        {
            var ids = _words[word].Ids;
            for (int i = 0; i + 1 < ids.Count; i++)
            {
                var pair = (ids[i], ids[i + 1]);
                _counts[pair] = _counts.GetValueOrDefault(pair) + (sign * _words[word].Count);
                if (sign > 0)
                {
                    (_places.TryGetValue(pair, out var places) ? places : _places[pair] = []).Add(word);
                    if (ids[i] >= LeastVocabulary || ids[i + 1] >= LeastVocabulary)
                    {
                        touched?.Add(pair);
                    }
                }
            }
        }
    }
}
