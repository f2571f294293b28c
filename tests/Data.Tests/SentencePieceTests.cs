using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Hearth.Tokenizers;
using Xunit;

namespace Hearth.Tests;

public sealed class SentencePieceTests
{
    private static readonly string Cases = Path.Combine(AppContext.BaseDirectory, "cases");

    [Theory]
    [InlineData("spm-bpe", 340)]
    [InlineData("spm-bpe-bytes", 340)]
    [InlineData("spm-own", 341)]
    public void Every_text_of_the_original_library_has_the_same_ids_and_decoding(string name, int texts)
    {
        var tokenizer = SentencePieceTokenizer.Load(Path.Combine(Cases, name + ".model"));
        var expected = Expected(name + ".expect.json");
        var wrong = expected.Where(e => !tokenizer.Encode(e.Text!).SequenceEqual(e.Ids) || tokenizer.Decode(e.Ids, withSpecial: true) != e.Decoded)
            .Select(e => $"{JsonSerializer.Serialize(e.Text)}: {string.Join(' ', tokenizer.Encode(e.Text!))} / {tokenizer.Decode(e.Ids, withSpecial: true)}").ToList();

        Assert.True(wrong.Count == 0, $"{wrong.Count} differ:\n{string.Join('\n', wrong.Take(5))}");
        Assert.Equal(texts, expected.Count);
    }

    [Theory]
    [InlineData("spm-bpe")]
    [InlineData("spm-bpe-bytes")]
    public void Ids_in_any_order_decode_as_in_the_original_library(string name)
    {
        var tokenizer = SentencePieceTokenizer.Load(Path.Combine(Cases, name + ".model"));
        var expected = Expected(name + ".decode.json");

        Assert.Equal(300, expected.Count);
        Assert.All(expected, e => Assert.Equal(e.Decoded, tokenizer.Decode(e.Ids, withSpecial: true)));
    }

    // The original library read this very file to make the expectations of spm-own.
    [Fact]
    public void Training_on_the_texts_of_the_cases_gives_the_file_that_the_original_library_read()
    {
        var trainer = new SentencePieceTrainer(new SpmTraining());
        foreach (var entry in Expected("byte-bpe.expect.json"))
        {
            trainer.Add(entry.Text!);
        }

        Assert.Equal(File.ReadAllBytes(Path.Combine(Cases, "spm-own.model")), trainer.Train(1000).File);
    }

    [Fact]
    public void A_file_cut_at_any_byte_is_refused_with_the_place()
    {
        byte[] file = Train(400).File;
        foreach (int length in Enumerable.Range(0, file.Length).Where(n => n % 7 == 0))
        {
            var e = Record.Exception(() => SentencePieceTokenizer.Parse(file[..length]));
            Assert.True(e is TokenizerException, $"cut at {length}: {e}");
            Assert.Contains("SentencePiece model", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_file_with_any_byte_changed_is_read_or_refused_but_never_breaks()
    {
        byte[] file = File.ReadAllBytes(Path.Combine(Cases, "spm-bpe-bytes.model"));
        var random = new Random(7);
        for (int round = 0; round < 60; round++)
        {
            byte[] changed = [.. file];
            changed[random.Next(changed.Length)] = (byte)random.Next(256);
            var e = Record.Exception(() => SentencePieceTokenizer.Parse(changed).Encode("ＡＢ ﬁne caf\u0065\u0301 text\u00A0x"));
            Assert.True(e is null or TokenizerException, $"{e}");
        }
    }

    [Fact]
    public void A_length_far_beyond_the_file_is_refused_before_anything_is_allocated()
    {
        // Field 1, then a length of 2 GB in front of three bytes.
        byte[] hostile = [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 1, 2, 3];
        long before = GC.GetAllocatedBytesForCurrentThread();

        var e = Assert.Throws<TokenizerException>(() => SentencePieceTokenizer.Parse(hostile));

        Assert.Contains("pieces[0]", e.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Theory]
    [InlineData(1, "trainer_spec.model_type of the SentencePiece model is 1 (unigram). Allowed: 2 (BPE).")]
    [InlineData(9, "trainer_spec.model_type of the SentencePiece model is 9. Allowed: 2 (BPE).")]
    public void A_model_of_another_kind_is_refused_by_field(byte type, string words)
    {
        byte[] file = [0x0A, 9, 0x0A, 5, .. "<unk>"u8, 0x18, 2, 0x12, 2, 0x18, type];

        Assert.Equal(words, Assert.Throws<TokenizerException>(() => SentencePieceTokenizer.Parse(file)).Message);
    }

    [Fact]
    public void Contradictions_in_a_model_are_refused_by_field()
    {
        SpmPiece unknown = new("<unk>", 0, SpmPieceType.Unknown), a = new("a", 0, SpmPieceType.Normal);
        Assert.Contains("pieces[2].piece of the SentencePiece model is a.", Refused(new SpmModel { Pieces = [unknown, a, a] }), StringComparison.Ordinal);
        Assert.Contains("exactly one of type 2", Refused(new SpmModel { Pieces = [a] }), StringComparison.Ordinal);
        Assert.Contains("true without the piece <0x00>", Refused(new SpmModel { Pieces = [unknown, a], ByteFallback = true }), StringComparison.Ordinal);
        Assert.Contains("pieces[1].score", Refused(new SpmModel { Pieces = [unknown, a with { Score = float.NaN }] }), StringComparison.Ordinal);
        Assert.Contains("precompiled_charsmap", Refused(new SpmModel { Pieces = [unknown, a], Normalizer = new() { PrecompiledCharsmap = [255, 255, 0, 0, 1, 0] } }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_trained_model_is_read_back_gives_every_text_back_and_is_deterministic()
    {
        var tokenizer = Train(400);

        Assert.Equal(tokenizer.Sha256, Train(400).Sha256);
        Assert.Equal(400, tokenizer.VocabSize);
        Assert.Equal("def  f(x):\n\treturn {x}  # naïve λ 🙂 ", tokenizer.Decode(tokenizer.Encode("def  f(x):\n\treturn {x}  # naïve λ 🙂 ")));
        Assert.True(tokenizer.Encode("the cat sat on the mat").Length <= 8);
        Prop.ForAll(ArbMap.Default.ArbFor<NonNull<string>>(), text =>
        {
            string valid = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.Get)).Replace('\u2581', ' ');
            return tokenizer.Decode(tokenizer.Encode(valid)) == valid;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Special_and_category_tokens_have_the_ids_of_the_published_runtime()
    {
        var trainer = new SentencePieceTrainer(new SpmTraining { Symbols = [.. SpecialTokens.Core.Skip(1), .. SpecialTokens.CategorySlots(["code", "stories"])] });
        trainer.Add("a cat");
        var tokenizer = trainer.Train(310);

        Assert.Equal(Enumerable.Range(1, 10), SpecialTokens.Core.Skip(1).Select(tokenizer.Special));
        Assert.Equal([11, 12, 13, 42], new[] { "<|cat:code|>", "<|cat:stories|>", "<|cat:_reserved_2|>", "<|cat:_reserved_31|>" }.Select(tokenizer.Special));
        Assert.Equal(3, tokenizer.EndToken);
        int space = tokenizer.Encode(" ")[0];
        Assert.Equal([space, 2, 12, 3], tokenizer.Encode("<bos><|cat:stories|><eos>"));
        Assert.Equal("", tokenizer.Decode([2, 12, 3]));
        Assert.Equal("<bos><|cat:stories|><eos>", tokenizer.Decode([2, 12, 3], withSpecial: true));
    }

    [Fact]
    public void A_continuation_keeps_the_space_that_it_begins_with()
    {
        var tokenizer = Train(400);
        int[] all = tokenizer.Encode("the cat sat"), prompt = tokenizer.Encode("the cat");

        Assert.Equal(prompt, all[..prompt.Length]);
        Assert.Equal(" sat", tokenizer.DecodeAfter(prompt, all[prompt.Length..]));
        Assert.Equal("sat", tokenizer.Decode(all[prompt.Length..]));
        Assert.Equal("the cat", tokenizer.DecodeAfter([tokenizer.EndToken], prompt));
    }

    [Fact]
    public void Without_byte_fallback_unknown_characters_in_a_row_are_one_unknown_piece()
    {
        var trainer = new SentencePieceTrainer(new SpmTraining { Symbols = ["<pad>"], ByteFallback = false, CharacterCoverage = 1 });
        trainer.Add("abc abc abd");
        var tokenizer = trainer.Train(12);

        Assert.Equal("ab \u2047 c", tokenizer.Decode(tokenizer.Encode("abλ🙂c")));
        Assert.Equal(1, tokenizer.Encode("abλ🙂c").Count(id => id == 0));
        Assert.Contains("and 5 characters. Allowed: at least 7.", Assert.Throws<ArgumentOutOfRangeException>(() => trainer.Train(6)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_models_normaliser_can_be_trained_with()
    {
        var trainer = new SentencePieceTrainer(new SpmTraining { Normalizer = SentencePieceTokenizer.Load(Path.Combine(Cases, "spm-bpe.model")).Normalizer });
        trainer.Add("ﬁne ﬁne ﬁnd");
        var tokenizer = trainer.Train(320);

        Assert.Equal("fine x", tokenizer.Decode(tokenizer.Encode("  ﬁne\u3000\tｘ ")));
        Assert.Equal(tokenizer.Encode("fine x"), tokenizer.Encode("  ﬁne\u3000\tｘ "));
    }

    [Fact]
    public void A_vocabulary_without_room_is_refused_with_what_is_allowed()
    {
        var e = Assert.Throws<ArgumentOutOfRangeException>(() => Train(299));

        Assert.Contains("at least 300", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_of_text_are_counted_without_the_space_that_is_not_there()
    {
        var tokenizer = Train(400);
        int[] ids = [2, .. tokenizer.Encode("the cat\n"), 3];

        Assert.Equal("the cat\n".Length, ids.Skip(1).Zip(ids, tokenizer.ByteCount).Sum() - SpecialBytes(tokenizer, ids));
    }

    // User-defined symbols count as the text that they are.
    private static int SpecialBytes(ITokenizer tokenizer, int[] ids) => ids.Skip(1).Where(id => id < 43).Sum(id => tokenizer.Decode([id], withSpecial: true).Length) + 1;

    private static List<(string? Text, int[] Ids, string Decoded)> Expected(string file)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Cases, file)));
        return [.. json.RootElement.EnumerateArray().Select(e => (
            e.TryGetProperty("text", out var text) ? text.GetString() : null,
            e.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()).ToArray(),
            e.GetProperty("decoded").GetString()!))];
    }

    private static string Refused(SpmModel model) => Assert.Throws<TokenizerException>(() => SentencePieceTokenizer.Parse(SpmFile.Write(model))).Message;

    private static ITokenizer Train(int size)
    {
        var trainer = new SentencePieceTrainer(new SpmTraining());
        for (int i = 0; i < 50; i++)
        {
            trainer.Add($"the cat sat on the mat, and the other cats sat there too.\n  def f{i}(x): return x + {i}\n");
        }

        foreach (string rare in (string[])["brown foxes jump over lazy dogs", "pack my box with five dozen liquor jugs", "sphinx of black quartz, judge my vow"])
        {
            trainer.Add(rare);
        }

        return trainer.Train(size);
    }
}
