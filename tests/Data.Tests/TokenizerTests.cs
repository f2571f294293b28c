using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Hearth.Runs;
using Hearth.Tokenizers;
using Xunit;

namespace Hearth.Tests;

public sealed class TokenizerTests
{
    private static readonly string Cases = Path.Combine(AppContext.BaseDirectory, "cases");

    [Fact]
    public void Every_text_of_the_original_library_has_the_same_ids_and_decoding()
    {
        var tokenizer = BpeTokenizer.Load(Path.Combine(Cases, "byte-bpe.tokenizer.json"));
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Cases, "byte-bpe.expect.json")));
        var wrong = new List<string>();
        foreach (var entry in expected.RootElement.EnumerateArray())
        {
            string text = entry.GetProperty("text").GetString()!;
            int[] ids = [.. entry.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())];
            int[] got = tokenizer.Encode(text);
            if (!got.SequenceEqual(ids) || tokenizer.Decode(ids, withSpecial: true) != entry.GetProperty("decoded").GetString())
            {
                wrong.Add($"{JsonSerializer.Serialize(text)}: {string.Join(' ', got)} / {tokenizer.Decode(ids)}");
            }
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} differ:\n{string.Join('\n', wrong.Take(5))}");
        Assert.Equal(340, expected.RootElement.GetArrayLength());
    }

    [Fact]
    public void A_trained_tokenizer_is_written_read_and_deterministic()
    {
        var first = Train(300);
        var again = Train(300);

        Assert.Equal(first.Sha256, again.Sha256);
        Assert.InRange(first.VocabSize, 258, 300);
        Assert.Equal(0, first.Special("<eos>"));
        Assert.Equal(first.Encode("the cat"), BpeTokenizer.Parse(first.File).Encode("the cat"));
        Assert.True(first.Encode("the cat sat on the mat").Length < "the cat sat on the mat".Length / 2);
    }

    [Fact]
    public void Encoding_and_decoding_gives_every_text_back()
    {
        var tokenizer = Train(300);
        Prop.ForAll(ArbMap.Default.ArbFor<NonNull<string>>(), text =>
        {
            string valid = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.Get)).Replace("<eos>", "", StringComparison.Ordinal);
            return tokenizer.Decode(tokenizer.Encode(valid)) == valid;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_vocabulary_without_room_for_the_bytes_is_refused()
    {
        var e = Assert.Throws<ArgumentOutOfRangeException>(() => new BpeTrainer().Train(256));

        Assert.Contains("at least 257", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_least_vocabulary_of_each_kind_is_what_its_trainer_takes()
    {
        foreach (string kind in TokenizerKinds.All)
        {
            int least = TokenizerKinds.LeastVocabulary(kind);
            var trainer = TokenizerTrainers.Create(kind);
            trainer.Add("some words to learn from");

            Assert.Equal(least, trainer.Train(least).VocabSize);
            Assert.Contains($"at least {least}", Assert.Throws<ArgumentOutOfRangeException>(() => trainer.Train(least - 1)).Message, StringComparison.Ordinal);
        }

        Assert.Contains("byte_bpe, sentencepiece, length_max", Assert.Throws<ArgumentOutOfRangeException>(() => TokenizerTrainers.Create("other")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "cannot be read")]
    [InlineData("""{"model":{"type":"Unigram"}}""", "model.type")]
    [InlineData("not json", "cannot be read")]
    public void A_file_of_another_kind_is_refused_by_field(string json, string words)
    {
        var e = Assert.Throws<TokenizerException>(() => BpeTokenizer.Parse(Encoding.UTF8.GetBytes(json)));

        Assert.Contains(words, e.Message, StringComparison.Ordinal);
    }

    private static ITokenizer Train(int size)
    {
        var trainer = new BpeTrainer();
        for (int i = 0; i < 50; i++)
        {
            trainer.Add("the cat sat on the mat, and the other cats sat there too.\n");
        }

        return trainer.Train(size);
    }
}
