using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Hearth.Tokenizers;
using Xunit;

namespace Hearth.Tests;

public sealed class LengthMaxTests
{
    [Fact]
    public void The_longest_piece_is_taken_even_where_a_shorter_one_would_leave_fewer()
    {
        var tokenizer = Make("ab", "abc", "cd", "abcde");

        Assert.Equal(["abc", "d"], Pieces(tokenizer, "abcd"));
        Assert.Equal(["abcde", "ab"], Pieces(tokenizer, "abcdeab"));
        Assert.Equal(["a", "cd"], Pieces(tokenizer, "acd"));
    }

    [Fact]
    public void Core_tokens_come_first_and_the_slots_are_the_last_128_ids()
    {
        var tokenizer = Train(500);

        Assert.Equal([0, 1, 2, 3], new[] { "<pad>", "<unk>", "<bos>", "<eos>" }.Select(tokenizer.Special));
        Assert.Equal([372, 373, 374, 375, 382], new[] { "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|assistant|>" }.Select(tokenizer.Special));
        Assert.Equal(499, tokenizer.Special("<|reserved_127|>"));
        Assert.Equal((500, 3), (tokenizer.VocabSize, tokenizer.EndToken));
        Assert.Equal([372, 374, 373], tokenizer.Encode("<|im_start|><think><|im_end|>"));
        Assert.Equal("", tokenizer.Decode([372, 374, 373]));
        Assert.Equal("<think>", tokenizer.Decode([374], withSpecial: true));
    }

    [Fact]
    public void Training_prefers_long_pieces_and_is_deterministic()
    {
        var tokenizer = Train(500);

        Assert.Equal(tokenizer.Sha256, Train(500).Sha256);
        Assert.Single(tokenizer.Encode(" extraordinary"));
        Assert.Equal(tokenizer.Encode("the cat"), TokenizerFile.Parse(tokenizer.FileName, tokenizer.File).Encode("the cat"));
    }

    [Fact]
    public void Encoding_and_decoding_gives_every_text_back()
    {
        var tokenizer = Train(420);
        Prop.ForAll(ArbMap.Default.ArbFor<NonNull<string>>(), text =>
        {
            string valid = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.Get));
            int[] ids = tokenizer.Encode(valid);
            return tokenizer.Decode(ids) == valid && ids.Sum(id => tokenizer.ByteCount(id, -1)) == Encoding.UTF8.GetByteCount(valid);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("\"vocab_size\": 420", "\"vocab_size\": 10", "model.vocab_size of tokenizer.json is 10. Allowed: 388 to 16777216.")]
    [InlineData("\"!\": 37", "\"!\": 38", "model.pieces, \"")]
    [InlineData("\"!\": 37", "\"~~\": 37", "without the byte 0x21")]
    [InlineData("\"id\": 1,", "\"id\": 0,", "added_tokens[1] of tokenizer.json is <unk> with the id 0")]
    [InlineData("\"id\": 1,", "\"id\": 420,", "a new name with a new id below 420")]
    public void A_wrong_file_is_refused_by_field(string from, string to, string words)
    {
        string json = Encoding.UTF8.GetString(Train(420).File);
        Assert.Contains(from, json, StringComparison.Ordinal);

        var e = Assert.Throws<TokenizerException>(() => TokenizerFile.Parse(TokenizerFile.JsonName, Encoding.UTF8.GetBytes(json.Replace(from, to, StringComparison.Ordinal))));

        Assert.Contains(words, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_vocabulary_without_room_for_bytes_and_slots_is_refused()
    {
        Assert.Contains("at least 388", Assert.Throws<ArgumentOutOfRangeException>(() => new LengthMaxTrainer().Train(387)).Message, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Pieces(ITokenizer tokenizer, string text) => tokenizer.Encode(text).Select(id => tokenizer.Decode([id]));

    private static LengthMaxTokenizer Make(params string[] pieces) =>
        LengthMaxTokenizer.Parse(LengthMaxTokenizer.Write([.. Enumerable.Range(0, 256).Select(b => new[] { (byte)b }), .. pieces.Select(Encoding.UTF8.GetBytes)], 400));

    private static ITokenizer Train(int size)
    {
        var trainer = new LengthMaxTrainer();
        for (int i = 0; i < 20; i++)
        {
            trainer.Add("the cat sat on the mat, an extraordinary cat with extraordinary manners.\n");
        }

        return trainer.Train(size);
    }
}
