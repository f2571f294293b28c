using System.Text.Json;
using Hearth.Tokenizers;
using Hearth.Training;
using Xunit;

namespace Hearth.Tests;

public sealed class VuafTokenizerFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-vuaf-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_written_folder_has_the_runtimes_files_and_is_read_back()
    {
        var tokenizer = Write("chat", "wiki");
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_folder, "tokenizer.json")));
        int Field(string name) => json.RootElement.GetProperty(name).GetInt32();

        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], new[] { "unk_id", "pad_id", "bos_id", "eos_id", "user_id", "assistant_id", "system_id", "turn_id", "doc_id", "meta_open_id", "meta_close_id" }.Select(Field));
        Assert.Equal((310, 11, 2, 32), (Field("vocab_size"), Field("category_first_id"), Field("category_count"), Field("max_categories")));
        Assert.Equal(["<unk>\t0", "<pad>\t0", "<bos>\t0"], File.ReadLines(Path.Combine(_folder, "spm.vocab")).Take(3));
        Assert.Equal(310, File.ReadLines(Path.Combine(_folder, "spm.vocab")).Count());
        var read = VuafTokenizerFolder.Read(_folder);
        Assert.Equal(tokenizer.Sha256, read.Sha256);
        Assert.Equal(["chat", "wiki"], VuafTokenizerFolder.Categories(read));
        Assert.Equal(tokenizer.Sha256, TokenizerFile.LoadFrom(_folder).Sha256);
    }

    [Theory]
    [InlineData("tokenizer.json", "\"eos_id\": 3", "\"eos_id\": 5", "eos_id of tokenizer.json is 5; spm.model has 3.")]
    [InlineData("tokenizer.json", "\"eos_id\": 3,", "", "eos_id of tokenizer.json is missing; spm.model has 3.")]
    [InlineData("categories.json", "chat", "poems", "names of categories.json is [\"poems\",\"wiki\"]; spm.model has [\"chat\",\"wiki\"].")]
    public void A_file_that_contradicts_the_model_is_refused_with_both_values(string file, string from, string to, string words)
    {
        Write("chat", "wiki");
        string path = Path.Combine(_folder, file), text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));

        Assert.Contains(words, Assert.Throws<TokenizerException>(() => VuafTokenizerFolder.Read(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_and_a_model_with_other_ids_are_refused_by_name()
    {
        Write();
        File.Delete(Path.Combine(_folder, "categories.json"));
        var other = SentencePieceTokenizer.Load(Path.Combine(AppContext.BaseDirectory, "cases", "spm-bpe.model"));

        Assert.Contains("has no categories.json", Assert.Throws<TokenizerException>(() => VuafTokenizerFolder.Read(_folder)).Message, StringComparison.Ordinal);
        VuafTokenizerFolder.Write(_folder, other);
        Assert.Equal(["code", "stories"], VuafTokenizerFolder.Categories(other));
        var bare = SentencePieceTokenizer.Parse(SpmFile.Write(new SpmModel { Pieces = [new("<unk>", 0, SpmPieceType.Unknown), new("a", 0, SpmPieceType.Normal)] }));
        Assert.Contains("pad_id of the tokenizer is 1, where its model has a.", Assert.Throws<TokenizerException>(() => VuafTokenizerFolder.Write(_folder, bare)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_was_trained_with_another_tokenizer_is_refused_with_both_hashes()
    {
        var tokenizer = Write("chat");
        string config = Path.Combine(_folder, "config.json"), other = new('a', 64);
        File.WriteAllText(config, $$"""{"tokenizer_sha256": "{{tokenizer.Sha256}}"}""");
        Assert.Equal(tokenizer.Sha256, VuafTokenizerFolder.Read(_folder).Sha256);
        File.WriteAllText(config, $$"""{"tokenizer_sha256": "{{other}}"}""");

        string message = Assert.Throws<TokenizerException>(() => VuafTokenizerFolder.Read(_folder)).Message;

        Assert.Contains(other, message, StringComparison.Ordinal);
        Assert.Contains(tokenizer.Sha256, message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_categories_than_slots_are_refused()
    {
        string[] names = [.. Enumerable.Range(0, 33).Select(i => $"c{i}")];

        Assert.Contains("at most 32", Assert.Throws<ArgumentException>(() => SpecialTokens.CategorySlots(names)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => SpecialTokens.CategorySlots(["a", "a"]));
    }

    private SentencePieceTokenizer Write(params string[] categories)
    {
        var trainer = new SentencePieceTrainer(new SpmTraining { Symbols = [.. SpecialTokens.Core.Skip(1), .. SpecialTokens.CategorySlots(categories)] });
        trainer.Add("some text to learn from");
        var tokenizer = (SentencePieceTokenizer)trainer.Train(310);
        VuafTokenizerFolder.Write(_folder, tokenizer);
        return tokenizer;
    }
}
