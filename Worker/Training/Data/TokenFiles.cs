using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Hearth.Tokenizers;

namespace Hearth.Training.Data;

/// <summary>
/// A folder of tokens that others packed: <c>*train*.bin</c> and <c>*val*.bin</c> beside the tokenizer they were made with. A file is
/// 256 little-endian int32 (20240520, 1, number of tokens, then none), then a uint16 per token (modded-nanogpt's and parameter-golf's shards).
/// </summary>
internal sealed class TokenFiles
{
    private const int Magic = 20240520;
    private const int Version = 1;
    private const int HeaderBytes = 256 * sizeof(int);
    private const int PieceTokens = 1 << 20;

    private TokenFiles(ITokenizer tokenizer, IReadOnlyList<string> training, IReadOnlyList<string> validation) =>
        (Tokenizer, Training, Validation) = (tokenizer, training, validation);

    public ITokenizer Tokenizer { get; }

    public IReadOnlyList<string> Training { get; }

    public IReadOnlyList<string> Validation { get; }

    /// <summary>Whether a dataset's path is such a folder.</summary>
    public static bool Are(string path) => Directory.Exists(path) && Directory.EnumerateFiles(path, "*.bin").Any();

    /// <param name="folder">With all files at its top.</param>
    /// <param name="vocabSize">Of the model.</param>
    /// <exception cref="DatasetException">A part or the tokenizer is missing, or the model has too few words for it.</exception>
    public static TokenFiles Open(string folder, int vocabSize)
    {
        var tokenizer = TokenizerFile.LoadFrom(folder);
        if (tokenizer.VocabSize > vocabSize)
        {
            throw new DatasetException($"The tokenizer of {folder} has {tokenizer.VocabSize} entries; model.vocab_size is {vocabSize}. Allowed: at least {tokenizer.VocabSize}.");
        }

        string[] Part(string word)
        {
            string[] files = [.. Directory.EnumerateFiles(folder, $"*{word}*.bin").Order(StringComparer.Ordinal)];
            return files.Length > 0 ? files : throw new DatasetException($"{folder} has no file *{word}*.bin. Allowed: at least one with train and one with val in its name.");
        }

        return new TokenFiles(tokenizer, Part("train"), Part("val"));
    }

    /// <summary>Names content: tokenizer, which file is of which part, and their bytes; 32 hex digits.</summary>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public string Key(LongStep step = default)
    {
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        all.AppendData(Encoding.UTF8.GetBytes($"tokens/{Tokenizer.Sha256}"));
        (string Part, string File)[] files = [.. Training.Select(file => ("train", file)), .. Validation.Select(file => ("val", file))];
        foreach (var (i, (part, file)) in files.Index())
        {
            string hash = FileHash.Sha256(file, step.Nth(i, files.Length));
            all.AppendData(Encoding.UTF8.GetBytes($"/{part}/{hash}"));
        }

        return Convert.ToHexStringLower(all.GetHashAndReset())[..32];
    }

    /// <summary>Tokens that the files of a part have room for.</summary>
    public static long Tokens(IReadOnlyList<string> part) => part.Sum(file => new FileInfo(file).Length / sizeof(ushort));

    /// <summary>
    /// Documents of a part in order: what ends with the tokenizer's end token, and what stands behind the last one; longer ones in pieces,
    /// so that a stream without end tokens is never in memory whole.
    /// </summary>
    /// <exception cref="DatasetException">A header does not fit its file, or a token is none of the tokenizer's; names file, field and value.</exception>
    public IEnumerable<int[]> Documents(IReadOnlyList<string> part)
    {
        var document = new List<int>();
        foreach (int[] piece in part.SelectMany(Read))
        {
            for (int start = 0; start < piece.Length;)
            {
                int end = Array.IndexOf(piece, Tokenizer.EndToken, start);
                int next = end < 0 ? piece.Length : end + 1;
                document.AddRange(piece.AsSpan(start, next - start));
                start = next;
                if (end >= 0 || document.Count >= PieceTokens)
                {
                    yield return [.. document];
                    document.Clear();
                }
            }
        }

        if (document.Count > 0)
        {
            yield return [.. document];
        }
    }

    private IEnumerable<int[]> Read(string path)
    {
        string name = Path.GetFileName(path);
        using var file = File.OpenRead(path);
        long tokens = Header(file, name);
        byte[] bytes = new byte[PieceTokens * sizeof(ushort)];
        for (long at = 0; at < tokens;)
        {
            int count = (int)Math.Min(PieceTokens, tokens - at);
            file.ReadExactly(bytes, 0, count * sizeof(ushort));
            int[] piece = new int[count];
            for (int i = 0; i < count; i++)
            {
                piece[i] = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(i * sizeof(ushort)));
            }

            int wrong = Array.FindIndex(piece, id => id >= Tokenizer.VocabSize);
            Require(wrong < 0, name, string.Create(CultureInfo.InvariantCulture, $"token {at + wrong}"), wrong < 0 ? 0 : piece[wrong], $"0 to {Tokenizer.VocabSize - 1}, the tokenizer's");
            at += count;
            yield return piece;
        }
    }

    private static long Header(FileStream file, string name)
    {
        Require(file.Length >= HeaderBytes, name, "length", file.Length, $"at least {HeaderBytes} bytes");
        byte[] bytes = new byte[HeaderBytes];
        file.ReadExactly(bytes);
        int Word(int index) => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(index * sizeof(int)));
        Require(Word(0) == Magic, name, "magic", Word(0), $"{Magic}");
        Require(Word(1) == Version, name, "version", Word(1), $"{Version}");
        long held = (file.Length - HeaderBytes) / sizeof(ushort);
        Require(Word(2) > 0 && Word(2) == held && file.Length % sizeof(ushort) == 0, name, "number of tokens", Word(2), $"{held}, what its {file.Length} bytes hold");
        return Word(2);
    }

    private static void Require(bool holds, string name, string field, long value, string allowed)
    {
        if (!holds)
        {
            throw new DatasetException(string.Create(CultureInfo.InvariantCulture, $"{name} has {field} {value}. Allowed: {allowed}."));
        }
    }
}
