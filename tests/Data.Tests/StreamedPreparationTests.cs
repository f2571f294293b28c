using System.Globalization;
using Hearth.Data;
using Hearth.Tokenizers;
using Hearth.Training.Data;
using Xunit;

namespace Hearth.Tests;

/// <summary>A dataset that is read a document at a time gives what one gives that is read whole.</summary>
public sealed class StreamedPreparationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-stream-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Documents_of_every_size_come_back_in_their_order_however_many_threads_encode_them()
    {
        var random = new Random(3);
        Document[] documents = [.. Enumerable.Range(0, 3_000).Select(i => new Document($"{i}", new string('x', i % 500 == 0 ? 200_000 : random.Next(1, 400))))];
        var encoding = new OrderedEncoding<object, int>(() => new object(), (_, document, _) => int.Parse(document.Name, CultureInfo.InvariantCulture), threads: 5);

        var encoded = encoding.Run(documents, documents.Sum(d => (long)d.Text.Length), default).ToList();

        Assert.Equal(documents, encoded.Select(e => e.Document));
        Assert.Equal(Enumerable.Range(0, documents.Length), encoded.Select(e => e.Encoded));
    }

    [Fact]
    public void An_encoder_is_of_one_thread_at_a_time_and_no_more_of_them_are_made_than_threads()
    {
        int made = 0;
        Document[] documents = [.. Enumerable.Range(0, 200).Select(i => new Document($"{i}", new string('x', 70_000)))];
        var encoding = new OrderedEncoding<int[], int>(
            () =>
            {
                Interlocked.Increment(ref made);
                return new int[1];
            },
            (own, document, _) =>
            {
                int inside = Interlocked.Increment(ref own[0]);
                Thread.Yield();
                Interlocked.Decrement(ref own[0]);
                return inside;
            },
            threads: 3);

        Assert.All(encoding.Run(documents, 14_000_000, default), e => Assert.Equal(1, e.Encoded));
        Assert.InRange(made, 1, 3);
    }

    [Fact]
    public void A_fault_of_one_document_is_thrown_in_its_turn_and_the_rest_is_given_up()
    {
        Document[] documents = [.. Enumerable.Range(0, 100).Select(i => new Document($"{i}", new string('x', 70_000)))];
        var encoding = new OrderedEncoding<object, string>(() => new object(), (_, document, _) => document.Name == "40" ? throw new TokenizerException("the fortieth") : document.Name, threads: 4);
        var seen = new List<string>();

        var e = Assert.Throws<TokenizerException>(() => seen.AddRange(encoding.Run(documents, 7_000_000, default).Select(one => one.Encoded)));

        Assert.Equal("the fortieth", e.Message);
        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"{i}"), seen);
    }

    [Theory]
    [InlineData("byte_bpe")]
    [InlineData("sentencepiece")]
    [InlineData("length_max")]
    public void Shards_are_those_of_documents_that_are_encoded_one_after_the_other(string kind)
    {
        string source = WriteLines(2_000);
        string folder = PreparedDataset.Prepare(source, _folder, new Preparation(600, 0.2, kind));
        var tokenizer = TokenizerFile.LoadFrom(folder);

        foreach (var (name, heldOut) in new[] { (PreparedDataset.TrainName, false), (PreparedDataset.ValidationName, true) })
        {
            using var shard = Shard.Open(Path.Combine(folder, name));
            int[] tokens = new int[shard.Tokens];
            shard.Read(0, tokens);
            Assert.Equal(Documents.Read(source).Where(d => d.IsValidation(0.2) == heldOut).SelectMany(d => (int[])[.. tokenizer.Encode(d.Text), tokenizer.EndToken]), tokens);
        }
    }

    [Theory]
    [InlineData(0.0, 3)]
    [InlineData(0.999999999999, 1)]
    public void Where_no_document_is_left_for_a_part_the_last_goes_there(double fraction, int training)
    {
        var survey = DatasetSurvey.Of("abcd".Select(letter => new Document($"{letter}", $"{letter}")), fraction, chat: false);

        Assert.Equal(training, Enumerable.Range(0, 4).Count(i => !survey.IsHeldOut(i)));
        Assert.Equal(fraction == 0, survey.IsHeldOut(3));
        Assert.Equal((4, 4L, (long)training), (survey.Documents, survey.Letters, survey.TrainingLetters));
    }

    [Fact]
    public void Of_a_very_large_dataset_a_share_is_learnt_from_that_depends_on_the_texts_alone()
    {
        string source = WriteLines(2_000);
        long letters = Documents.Read(source).Where(d => !d.IsValidation(0.2)).Sum(d => (long)d.Text.Length);

        string Learnt(string cache, long most) => TokenizerFile.LoadFrom(PreparedDataset.Prepare(source, Path.Combine(_folder, cache), new Preparation(600, 0.2) { LearntLetters = most })).Sha256;
        var expected = new BpeTrainer();
        foreach (var document in Documents.Read(source).Where(d => !d.IsValidation(0.2) && d.IsLearnt(0.25)))
        {
            expected.Add(document.Text);
        }

        Assert.Equal(expected.Train(600).Sha256, Learnt("quarter", letters / 4));
        Assert.Equal(Learnt("whole", letters), Learnt("more", letters * 9));
        Assert.NotEqual(Learnt("quarter-again", letters / 4), Learnt("whole-again", letters));
        double share = Documents.Read(source).Count(d => d.IsLearnt(0.25)) / 2_000.0;
        Assert.InRange(share, 0.2, 0.3);
    }

    [Fact]
    public void A_dataset_that_changes_while_it_is_read_is_refused()
    {
        string source = WriteLines(300);

        var e = Assert.Throws<DatasetException>(() => PreparedDataset.Prepare(source, _folder, new Preparation(300, 0.2), (what, share) =>
        {
            if (what == "learning the tokenizer" && share == 1)
            {
                File.AppendAllText(source, "{\"text\": \"one more\"}\n");
            }
        }));

        Assert.Contains("changed while it was read: it had 300 documents", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_folder));
    }

    [Fact]
    public void A_text_over_the_longest_document_comes_in_parts_and_a_line_with_no_UTF8_is_named_by_its_offset()
    {
        string text = Path.Combine(_folder, "long.txt"), lines = Path.Combine(_folder, "lines.jsonl");
        using (var writer = new StreamWriter(text))
        {
            for (int i = 0; i < DatasetContent.LongestDocument / 8; i++)
            {
                writer.Write("ünïcödé ");
            }

            writer.Write("the rest");
        }

        File.WriteAllBytes(lines, [.. "{\"text\": \"a\"}\r\n\n{\"text\": \""u8, 0xC3, 0x28, .. "\"}\n"u8]);

        var parts = Documents.Read(text).Select(d => (d.Name, d.Text.Length, End: d.Text[^8..])).ToList();
        var e = Assert.Throws<DatasetException>(() => Documents.Read(lines).Count());

        Assert.Equal([("long.txt", DatasetContent.LongestDocument, "ünïcödé "), ("long.txt#2", 8, "the rest")], parts);
        Assert.Equal("lines.jsonl is no UTF-8: byte 0xC3 at offset 26.", e.Message);
    }

    private string WriteLines(int count)
    {
        var random = new Random(5);
        string path = Path.Combine(_folder, "lines.jsonl");
        File.WriteAllLines(path, Enumerable.Range(0, count).Select(i => $"{{\"text\": \"{i} {string.Join(' ', Enumerable.Range(0, random.Next(1, 120)).Select(_ => $"word{random.Next(90)}"))}\"}}"));
        return path;
    }
}
