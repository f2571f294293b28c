using System.Text.Json;

namespace Hearth.Tokenizers;

/// <summary>Finds and reads the tokenizer of a folder, whatever its kind.</summary>
public static class TokenizerFile
{
    public const string JsonName = "tokenizer.json";
    public const string SentencePieceName = "spm.model";

    /// <summary>File names by precedence: beside a SentencePiece model, <c>tokenizer.json</c> only lists special ids.</summary>
    public static IReadOnlyList<string> Names { get; } = [SentencePieceName, JsonName];

    /// <summary>Reads the tokenizer of a dataset's or checkpoint's folder.</summary>
    /// <exception cref="TokenizerException">None is there, or it cannot be read; names the file or its field.</exception>
    public static ITokenizer LoadFrom(string folder)
    {
        string name = Names.FirstOrDefault(n => System.IO.File.Exists(Path.Combine(folder, n)))
            ?? throw new TokenizerException($"{folder} has no tokenizer. Allowed: {string.Join(" or ", Names)}.");
        return Parse(name, System.IO.File.ReadAllBytes(Path.Combine(folder, name)));
    }

    /// <summary>Reads a tokenizer from the bytes of a file called <paramref name="name"/>.</summary>
    /// <exception cref="TokenizerException">The bytes are none; names the field.</exception>
    public static ITokenizer Parse(string name, byte[] bytes) =>
        name == SentencePieceName ? SentencePieceTokenizer.Parse(bytes)
        : ModelType(bytes) == LengthMaxTokenizer.ModelType ? LengthMaxTokenizer.Parse(bytes)
        : BpeTokenizer.Parse(bytes);

    private static string? ModelType(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.GetProperty("model").GetProperty("type").GetString();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new TokenizerException($"{JsonName} has no model.type: {e.Message}");
        }
    }
}
