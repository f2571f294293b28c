using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Models.Vuaf;
using Hearth.Tokenizers;

namespace Hearth.Training;

/// <summary>
/// The tokenizer of a published VUAF folder: <c>spm.model</c>, its listing <c>spm.vocab</c>, the categories in their order, and
/// <c>tokenizer.json</c> with the special ids.
/// </summary>
public static class VuafTokenizerFolder
{
    public const string VocabName = "spm.vocab";
    public const string CategoriesName = "categories.json";
    private const int FirstCategory = 11;

    private static readonly (string Key, string Token)[] Ids =
    [
        ("pad_id", SpecialTokens.Pad), ("bos_id", SpecialTokens.Begin), ("eos_id", SpecialTokens.End), ("unk_id", SpecialTokens.Unknown),
        ("user_id", SpecialTokens.User), ("assistant_id", SpecialTokens.Assistant), ("system_id", SpecialTokens.System), ("turn_id", SpecialTokens.Turn),
        ("doc_id", SpecialTokens.Document), ("meta_open_id", SpecialTokens.MetaOpen), ("meta_close_id", SpecialTokens.MetaClose),
    ];

    /// <summary>Writes the four files.</summary>
    /// <exception cref="TokenizerException">A special token is not where VUAF has it.</exception>
    public static void Write(string folder, SentencePieceTokenizer tokenizer)
    {
        var expected = Describe(tokenizer);
        Directory.CreateDirectory(folder);
        System.IO.File.WriteAllBytes(Path.Combine(folder, TokenizerFile.SentencePieceName), tokenizer.File);
        System.IO.File.WriteAllText(Path.Combine(folder, VocabName), Listing(tokenizer));
        System.IO.File.WriteAllBytes(Path.Combine(folder, CategoriesName), Bytes(Registry(tokenizer)));
        System.IO.File.WriteAllBytes(Path.Combine(folder, TokenizerFile.JsonName), Bytes(expected));
    }

    /// <summary>Reads <c>spm.model</c> and checks what the other two, and the hash in the model's <c>config.json</c>, say of it.</summary>
    /// <exception cref="TokenizerException">A file is missing or says otherwise; names the field and both values.</exception>
    public static SentencePieceTokenizer Read(string folder)
    {
        var tokenizer = SentencePieceTokenizer.Parse(Content(folder, TokenizerFile.SentencePieceName));
        Compare(folder, TokenizerFile.JsonName, Describe(tokenizer));
        Compare(folder, CategoriesName, Registry(tokenizer));
        string? trained = System.IO.File.Exists(Path.Combine(folder, VuafFolder.ConfigName)) ? VuafFolder.TokenizerSha256(folder) : null;
        return trained is null || trained == tokenizer.Sha256
            ? tokenizer
            : throw new TokenizerException($"The model in {folder} was trained with the tokenizer {trained}; its {TokenizerFile.SentencePieceName} is {tokenizer.Sha256}. Allowed: the same tokenizer.");
    }

    /// <summary>Named categories in the order of their ids.</summary>
    public static IReadOnlyList<string> Categories(SentencePieceTokenizer tokenizer) =>
        [.. Slots(tokenizer).Select(SpecialTokens.CategoryName).Where((name, slot) => name != SpecialTokens.ReservedCategory(slot))!];

    private static IEnumerable<string> Slots(SentencePieceTokenizer tokenizer) => tokenizer.Pieces.Skip(FirstCategory).Select(p => p.Text).TakeWhile(text => SpecialTokens.CategoryName(text) is not null);

    private static JsonObject Describe(SentencePieceTokenizer tokenizer)
    {
        var json = new JsonObject { ["vocab_size"] = tokenizer.VocabSize };
        foreach (var (key, token) in Ids)
        {
            int expected = SpecialTokens.Core.TakeWhile(t => t != token).Count();
            string actual = expected < tokenizer.VocabSize ? tokenizer.Pieces[expected].Text : "nothing";
            json[key] = actual == token ? expected : throw new TokenizerException($"{key} of the tokenizer is {expected}, where its model has {actual}. Allowed: {token}.");
        }

        json["category_first_id"] = FirstCategory;
        json["category_count"] = Categories(tokenizer).Count;
        json["max_categories"] = Slots(tokenizer).Count();
        return json;
    }

    private static JsonObject Registry(SentencePieceTokenizer tokenizer) => new()
    {
        ["names"] = new JsonArray([.. Categories(tokenizer).Select(name => (JsonNode)name)]),
        ["max_categories"] = Slots(tokenizer).Count(),
    };

    private static string Listing(SentencePieceTokenizer tokenizer)
    {
        var text = new StringBuilder();
        foreach (var piece in tokenizer.Pieces)
        {
            text.Append(piece.Text).Append('\t').Append(piece.Score.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
        }

        return text.ToString();
    }

    private static void Compare(string folder, string name, JsonObject expected)
    {
        JsonObject actual;
        try
        {
            actual = JsonNode.Parse(Content(folder, name)) as JsonObject ?? throw new TokenizerException($"{name} is no object. Allowed: an object.");
        }
        catch (JsonException e)
        {
            throw new TokenizerException($"{name} cannot be read: {e.Message}");
        }

        foreach (var (key, value) in expected)
        {
            if (!JsonNode.DeepEquals(actual[key], value))
            {
                throw new TokenizerException($"{key} of {name} is {actual[key]?.ToJsonString() ?? "missing"}; {TokenizerFile.SentencePieceName} has {value!.ToJsonString()}. Allowed: the same.");
            }
        }
    }

    private static byte[] Content(string folder, string name) => System.IO.File.Exists(Path.Combine(folder, name))
        ? System.IO.File.ReadAllBytes(Path.Combine(folder, name))
        : throw new TokenizerException($"{folder} has no {name}.");

    private static byte[] Bytes(JsonObject json) => JsonSerializer.SerializeToUtf8Bytes(json, Json.Pretty);
}
