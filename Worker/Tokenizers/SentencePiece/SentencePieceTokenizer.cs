using System.Security.Cryptography;
using System.Text;

namespace Hearth.Tokenizers;

/// <summary>
/// SentencePiece BPE (Kudo and Richardson 2018) out of a <c>.model</c> file: the ids and texts of the original's
/// <c>spm_encode</c> and <c>spm_decode</c>. Not safe for several threads at once: it remembers the words that it has seen.
/// </summary>
public sealed class SentencePieceTokenizer : ITokenizer
{
    private const int CacheLimit = 200_000;
    private const int LongestCached = 64;
    private const int Often = 1 << 12;
    private const double NormalizingShare = 0.2;
    private const char Space = '\u2581';
    private readonly SpmModel _model;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly SpmNormalizer _normalizer;
    private readonly SpmNormalizer? _denormalizer;
    private readonly PieceMerger _merger;
    private readonly int[] _byteIds = new int[256];
    private readonly int _unknown;
    private readonly bool _wordsStandAlone;
    private readonly Dictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cached;

    private SentencePieceTokenizer(byte[] file, SpmModel model)
    {
        (File, _model) = (file, model);
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(file));
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            var piece = model.Pieces[id];
            _ids[piece.Text] = id;
            switch (piece.Type)
            {
                case SpmPieceType.Unknown: _unknown = id; break;
                case SpmPieceType.Byte: _byteIds[SpmFile.ByteOf(piece.Text)] = id; break;
            }
        }

        var symbols = new SymbolMatcher(model.Pieces.Where(p => p.Type == SpmPieceType.UserDefined).Select(p => p.Text));
        _normalizer = new SpmNormalizer(model.Normalizer, symbols, model.WhitespaceAsSuffix);
        _denormalizer = model.Denormalizer is { PrecompiledCharsmap.Length: > 0 } spec ? new SpmNormalizer(spec, new SymbolMatcher([]), whitespaceAsSuffix: false) : null;
        _merger = new PieceMerger(model.Pieces);
        _wordsStandAlone = !_merger.HasUnused && model.Pieces.All(p => !PieceMerger.IsText(p.Type) || WordEnd(p.Text, 0) == p.Text.Length);
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        EndToken = Special(model.EndPiece);
    }

    public byte[] File { get; }

    public string FileName => TokenizerFile.SentencePieceName;

    public string Sha256 { get; }

    public int VocabSize => _model.Pieces.Count;

    public int EndToken { get; }

    public IReadOnlyList<SpmPiece> Pieces => _model.Pieces;

    /// <summary>How text is changed before it is cut; another model may be trained with it.</summary>
    public SpmNormalizerSpec Normalizer => _model.Normalizer;

    public static SentencePieceTokenizer Load(string path) => Parse(System.IO.File.ReadAllBytes(path));

    /// <exception cref="TokenizerException">The file is no SentencePiece BPE model; says which field is wrong.</exception>
    public static SentencePieceTokenizer Parse(byte[] file) => new(file, SpmFile.Read(file));

    public int Special(string token) => _ids.TryGetValue(token, out int id) && IsSpecial(id) ? id : -1;

    public int[] Encode(string text, LongStep step = default)
    {
        string normalized = _normalizer.Normalize(text, step.Part(0, NormalizingShare));
        var cutting = step.Part(NormalizingShare, 1);
        var ids = new List<int>((normalized.Length / 3) + 1);
        for (int at = 0, words = 0; at < normalized.Length; words++)
        {
            int end = _wordsStandAlone ? WordEnd(normalized, at) : normalized.Length;
            var word = normalized.AsSpan(at, end - at);
            foreach (int id in word.Length <= LongestCached ? Known(word) : Cut(word, cutting.Part(Share(at), Share(end))))
            {
                // Unknown pieces in a row are one.
                if (id != _unknown || ids.Count == 0 || ids[^1] != _unknown)
                {
                    ids.Add(id);
                }
            }

            at = end;
            if (words % Often == 0)
            {
                cutting.At(Share(at));
            }
        }

        return [.. ids];

        double Share(int at) => at / (double)normalized.Length;
    }

    /// <summary>What <c>spm_decode</c> gives when <paramref name="withSpecial"/>; ids outside the vocabulary are left out.</summary>
    public string Decode(IEnumerable<int> ids, bool withSpecial = false)
    {
        var text = new StringBuilder();
        var bytes = new List<byte>();
        bool atStart = true, sawSpace = false;
        foreach (int id in ids.Where(id => id >= 0 && id < VocabSize && (withSpecial || !IsSpecial(id))))
        {
            var piece = _model.Pieces[id];
            if (piece.Type == SpmPieceType.Byte)
            {
                bytes.Add((byte)SpmFile.ByteOf(piece.Text));
                continue;
            }

            Flush(bytes, text);
            atStart &= !sawSpace && text.Length == 0;
            sawSpace = false;
            switch (piece.Type)
            {
                case SpmPieceType.Control:
                    break;
                case SpmPieceType.Unknown:
                    text.Append(_model.UnknownSurface);
                    break;
                default:
                    sawSpace = AppendPiece(text, piece.Text, atStart);
                    break;
            }
        }

        Flush(bytes, text);
        return _denormalizer?.Normalize(text.ToString()) ?? text.ToString();
    }

    public int ByteCount(int id, int before) =>
        id >= 0 && id < VocabSize ? PieceBytes.Count(_model.Pieces[id].Text, Kind(id), Kind(before)) : 0;

    // The space at a text's start is the normaliser's own; where it folds spaces, those after it go too.
    private bool AppendPiece(StringBuilder text, string piece, bool atStart)
    {
        bool strip = atStart && (_model.Normalizer.AddDummyPrefix || _model.Normalizer.RemoveExtraWhitespaces) && piece.StartsWith(Space);
        text.Append((strip ? piece[1..] : piece).Replace(Space, ' '));
        return strip && !_model.Normalizer.RemoveExtraWhitespaces;
    }

    private int[] Known(ReadOnlySpan<char> word)
    {
        if (_cached.TryGetValue(word, out int[]? known))
        {
            return known;
        }

        int[] cut = Cut(word, default);
        if (_cache.Count < CacheLimit)
        {
            _cached[word] = cut;
        }

        return cut;
    }

    private int[] Cut(ReadOnlySpan<char> word, LongStep step)
    {
        var ids = new List<int>();
        _merger.Cut(word, (id, text) => AddPiece(ids, id, text), step);
        return [.. ids];
    }

    private void AddPiece(List<int> ids, int id, string text)
    {
        if (id >= 0)
        {
            ids.Add(id);
        }
        else if (!_model.ByteFallback)
        {
            ids.Add(_ids.GetValueOrDefault(text, _unknown));
        }
        else
        {
            ids.AddRange(Encoding.UTF8.GetBytes(text).Select(b => _byteIds[b]));
        }
    }

    // A word is spaces and what follows them.
    private static int WordEnd(string text, int start)
    {
        int at = start;
        while (at < text.Length && text[at] == Space)
        {
            at++;
        }

        int end = text.IndexOf(Space, at);
        return end < 0 ? text.Length : end;
    }

    private static void Flush(List<byte> bytes, StringBuilder text)
    {
        ReadOnlySpan<byte> left = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes);
        while (left.Length > 0)
        {
            // The original replaces each byte that starts no character, not each run of them.
            bool valid = Rune.DecodeFromUtf8(left, out var rune, out int length) == System.Buffers.OperationStatus.Done;
            text.Append(valid ? rune.ToString() : "\uFFFD");
            left = left[(valid ? length : 1)..];
        }

        bytes.Clear();
    }

    private bool IsSpecial(int id) => _model.Pieces[id] is var piece
        && (piece.Type == SpmPieceType.Control || (piece.Type == SpmPieceType.UserDefined && SpecialTokens.IsReserved(piece.Text)));

    private PieceKind Kind(int id) => id < 0 || id >= VocabSize ? PieceKind.Control : _model.Pieces[id].Type switch
    {
        SpmPieceType.Byte => PieceKind.Byte,
        SpmPieceType.Control or SpmPieceType.Unknown or SpmPieceType.Unused => PieceKind.Control,
        _ => PieceKind.Text,
    };
}
