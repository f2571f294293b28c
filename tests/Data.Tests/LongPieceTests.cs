using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Runs;
using Hearth.Tokenizers;
using Xunit;

namespace Hearth.Tests;

/// <summary>Every kind of tokenizer on pieces of any size: as ever in what it gives, quick, and stopped at once.</summary>
public sealed class LongPieceTests
{
    private static readonly string[] Texts = [.. Enumerable.Range(0, 60).Select(seed => OddTexts.Draw(seed, 300)), OddTexts.WithoutSpaces(3000)];

    // Hashes are of what the first version gave, which looked through each piece anew for every merge.
    [Theory]
    [InlineData(TokenizerKinds.ByteBpe, "b7cc94937170d7095b5595800af93dd750ff51fe97cd96d1ff93a0505953694d", "dad782325550975e51142bd1707fb1a33bba5a232969a16adf51acdd2f9d213a")]
    [InlineData(TokenizerKinds.SentencePiece, "726c3f41f722f28d4a2167d703648016857dee389d8a0c497c4113dd5e9766f3", "d4940c000def2cce0ad1456ffa4eaf3960b6af413ae19ac825366ad86461da56")]
    [InlineData(TokenizerKinds.LengthMax, "62d1144744966afc73e4409a8b9d1864b148c004a3bb8c346a68bcb55c9296a3", "e58cc4e05f060a1a694660fec7f0bc718964e7dacd377c038a16266bb38aa980")]
    public void Odd_texts_give_the_same_file_and_the_same_tokens_as_ever(string kind, string file, string tokens)
    {
        var tokenizer = Train(kind, 640, Texts);
        int[] ids = [.. Texts.SelectMany(text => tokenizer.Encode(text))];

        Assert.Equal(file, tokenizer.Sha256);
        Assert.Equal(tokens, Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(ids.AsSpan()))));
    }

    [Fact]
    public void Byte_level_bpe_encodes_odd_texts_as_its_file_defines()
    {
        var tokenizer = Train(TokenizerKinds.ByteBpe, 700, Texts);
        using var json = JsonDocument.Parse(tokenizer.File);
        var model = json.RootElement.GetProperty("model");
        var ids = model.GetProperty("vocab").EnumerateObject().ToDictionary(e => e.Name, e => e.Value.GetInt32(), StringComparer.Ordinal);
        var naive = new NaiveMerges();
        foreach (var (rank, merge) in model.GetProperty("merges").EnumerateArray().Index())
        {
            var (left, right) = (merge[0].GetString()!, merge[1].GetString()!);
            naive.Add(ids[left], ids[right], rank, ids[left + right]);
        }

        for (int seed = 1000; seed < 1200; seed++)
        {
            string text = OddTexts.Draw(seed, 400);
            var expected = new List<int>();
            foreach (var piece in ByteLevel.Pieces(text))
            {
                expected.AddRange(naive.Apply(Encoding.UTF8.GetBytes(text[piece.Index..(piece.Index + piece.Length)]).Select(b => ids[ByteLevel.Character(b).ToString()])).Symbols);
            }

            Assert.Equal(expected, tokenizer.Encode(text));
        }
    }

    // Two hundred thousand letters took minutes where a merge cost the length of its piece.
    [Theory]
    [InlineData(TokenizerKinds.ByteBpe)]
    [InlineData(TokenizerKinds.SentencePiece)]
    [InlineData(TokenizerKinds.LengthMax)]
    public void A_long_piece_is_learnt_encoded_and_comes_back(string kind) => LearnAndEncode(kind, OddTexts.WithoutSpaces(200_000), TimeSpan.FromSeconds(30));

    [Theory]
    [InlineData(TokenizerKinds.ByteBpe)]
    [InlineData(TokenizerKinds.SentencePiece)]
    [InlineData(TokenizerKinds.LengthMax)]
    [Trait("Category", "Slow")]
    public void A_line_of_4_5_MB_without_a_space_takes_seconds(string kind)
    {
        LearnAndEncode(kind, OddTexts.WithoutSpaces(4_500_000), TimeSpan.FromSeconds(90));
        LearnAndEncode(kind, new string('a', 4_500_000), TimeSpan.FromSeconds(90));
    }

    [Theory]
    [InlineData(TokenizerKinds.ByteBpe)]
    [InlineData(TokenizerKinds.SentencePiece)]
    [InlineData(TokenizerKinds.LengthMax)]
    public void Learning_and_encoding_tell_how_far_they_are_and_end_where_a_stop_is_asked_for(string kind)
    {
        string text = OddTexts.WithoutSpaces(300_000) + string.Concat(Enumerable.Repeat(" the cat", 20_000));
        var tokenizer = Train(kind, 500, [text]);
        Action<LongStep>[] steps =
        [
            step => TokenizerTrainers.Create(kind).Add(text, step),
            step =>
            {
                var trainer = TokenizerTrainers.Create(kind);
                trainer.Add(text);
                trainer.Train(500, step);
            },
            step => tokenizer.Encode(text, step),
        ];
        foreach (var run in steps)
        {
            var shares = new List<double>();
            run(new LongStep(shares.Add));
            Assert.Equal(shares.Order(), shares);
            Assert.True(shares.Distinct().Count() > 3, string.Join(' ', shares));
            Assert.InRange(shares[^1], 0.3, 1);

            using var stop = new CancellationTokenSource();
            int said = 0;
            Assert.Throws<OperationCanceledException>(() => run(new LongStep(
                share =>
                {
                    Assert.False(stop.IsCancellationRequested);
                    if (++said == shares.Count / 2)
                    {
                        stop.Cancel();
                    }
                },
                stop.Token)));
        }
    }

    private static void LearnAndEncode(string kind, string piece, TimeSpan most)
    {
        var time = Stopwatch.StartNew();
        // A text almost without spaces has none in a SentencePiece vocabulary, and does not come back.
        string text = piece + string.Concat(Enumerable.Repeat(" the cat", piece.Length / 500));
        var tokenizer = Train(kind, 1000, [text]);
        int[] ids = tokenizer.Encode(text);

        Assert.True(text == tokenizer.Decode(ids), "the text does not come back");
        Assert.InRange(ids.Length, 1, text.Length / 3);
        Assert.InRange(time.Elapsed, TimeSpan.Zero, most);
    }

    private static ITokenizer Train(string kind, int vocabulary, IEnumerable<string> texts)
    {
        var trainer = TokenizerTrainers.Create(kind);
        foreach (string text in texts)
        {
            trainer.Add(text);
        }

        return trainer.Train(vocabulary);
    }
}
