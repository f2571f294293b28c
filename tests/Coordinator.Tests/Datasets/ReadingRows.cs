using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Hearth.Api;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Data;
using Parquet;
using Parquet.Schema;
using Xunit;
using static Hearth.Tests.Datasets.Imports;

namespace Hearth.Tests.Datasets;

/// <summary>Rows: which are documents, which are bad, and what is told of both.</summary>
public sealed class ReadingRows : IDisposable
{
    private readonly string _scratch = Directory.CreateTempSubdirectory("hearth-rows-").FullName;

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    [Theory]
    [InlineData("{\"text\": \"good\"}", null)]
    [InlineData("{\"text\": \"\\ud83d\\ude00\", \"other\": {\"a\": 1}}", null)]
    [InlineData("{\"text\": \"\"}", BadRowKind.Empty)]
    [InlineData("{\"text\": \" \\n\"}", BadRowKind.Empty)]
    [InlineData("{\"text\": 1}", BadRowKind.NoText)]
    [InlineData("{\"txt\": \"a\"}", BadRowKind.NoText)]
    [InlineData("[\"text\"]", BadRowKind.NotJson)]
    [InlineData("{\"text\": \"a\"", BadRowKind.NotJson)]
    [InlineData("plain", BadRowKind.NotJson)]
    [InlineData("{\"text\": \"a\\ud83d\"}", BadRowKind.LoneSurrogate)]
    [InlineData("{\"text\": \"\\ude00\\ud83d\"}", BadRowKind.LoneSurrogate)]
    [InlineData("{\"text\": \"a\\u0000b\"}", BadRowKind.Nul)]
    [InlineData("{\"text\": \"a\", \"decision_label\": 9}", BadRowKind.WrongField)]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}]}", null)]
    [InlineData("{\"messages\": [{\"role\": \"pope\", \"content\": \"a\"}]}", BadRowKind.WrongField)]
    [InlineData("{\"messages\": [{\"role\": \"user\", \"content\": \"\\ud800\"}, {\"role\": \"assistant\", \"content\": \"b\"}]}", BadRowKind.LoneSurrogate)]
    [InlineData("{\"instruction\": \"a\\u0000\", \"output\": \"b\"}", BadRowKind.Nul)]
    public void A_row_is_a_document_or_bad_in_one_way(string line, BadRowKind? bad) => Assert.Equal(bad, RowReader.Read("r:1", Utf8(line)).Bad?.Kind);

    [Fact]
    public async Task Bad_rows_are_counted_by_kind_and_shown_by_line_and_the_others_make_the_dataset()
    {
        byte[] rows = [.. Encoding.UTF8.Preamble, .. Utf8("{\"text\": \"one\"}\n\n{\"text\": \"\"}\r\nno json\n{\"text\": \"two\"}\r\n{\"text\": \"one\"}\n{\"text\": \""), 0xff, .. Utf8("\"}\n{\"text\": \"three\"}")];

        var (blob, lines) = await ImportAsync(Rules(_scratch), File("r.jsonl", rows));

        Assert.Equal("{\"name\":\"r.jsonl:1\",\"text\":\"one\"}\n{\"name\":\"r.jsonl:5\",\"text\":\"two\"}\n{\"name\":\"r.jsonl:8\",\"text\":\"three\"}\n", lines);
        Assert.Equal((3, 1, 11, 11), (blob.Manifest.Documents, blob.Manifest.Duplicates, blob.Manifest.Characters, blob.Manifest.TextBytes));
        Assert.Equal(new Dictionary<string, long> { ["empty"] = 1, ["not_json"] = 1, ["not_utf8"] = 1 }, blob.Manifest.BadRows);
        Assert.Equal(["r.jsonl:3 empty", "r.jsonl:4 not_json", "r.jsonl:7 not_utf8"], blob.Manifest.BadRowSamples.Select(b => $"{b.At} {b.Kind}"));
        Assert.Equal("no json", blob.Manifest.BadRowSamples[1].Detail);
        Assert.Equal([new LengthCount(2, 2), new LengthCount(4, 1)], blob.Manifest.Lengths);
    }

    [Fact]
    public async Task Over_the_limit_the_import_fails_with_the_counts_in_the_sentence()
    {
        var rules = Rules(_scratch) with { BadRows = new BadRowPolicy(0.25, 2) };
        string Rows(int good, int bad) => string.Concat(Enumerable.Range(0, good).Select(i => $"{{\"text\": \"row {i}\"}}\n")) + string.Concat(Enumerable.Repeat("{\n", bad));

        await ImportAsync(rules, File("few.jsonl", Rows(2, 2)));
        await ImportAsync(rules, File("share.jsonl", Rows(9, 3)));
        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => ImportAsync(rules, File("r.jsonl", Rows(8, 3))));

        Assert.Equal(
            "3 of 11 rows are bad (27.3 %): 3 not_json; the first is r.jsonl:9, not_json: {. Allowed: 2 bad rows, or 25 % of all (HEARTH_IMPORT_BAD_ROWS, HEARTH_IMPORT_BAD_SHARE).",
            refused.Message);
    }

    [Fact]
    public async Task A_lone_text_is_cut_at_blank_lines_and_one_of_many_is_a_document()
    {
        string Paragraph(int i) => $"{string.Concat(Enumerable.Repeat($"word {i} ", 200))}\n";
        string text = string.Join("\r\n \n", Enumerable.Range(0, 6).Select(Paragraph));
        var rules = Rules(_scratch);

        var (alone, lines) = await ImportAsync(rules, File("book.txt", [.. Encoding.UTF8.Preamble, .. Utf8(text)]));
        var (many, _) = await ImportAsync(rules, File("book.txt", text), File("note.txt", "a note"));

        string[] cut = [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("text").GetString()!)];
        Assert.Equal(text, string.Concat(cut));
        Assert.Equal(3, cut.Length);
        Assert.All(cut, c => Assert.StartsWith("word", c, StringComparison.Ordinal));
        Assert.Equal(2, many.Manifest.Documents);
    }

    [Fact]
    public async Task A_lone_text_without_blank_lines_is_cut_behind_a_line()
    {
        string text = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"line {i}\n"));

        var (blob, lines) = await ImportAsync(Rules(_scratch), File("lines", text));

        Assert.InRange(blob.Manifest.Documents, 2, 4);
        Assert.Equal(text.Length, blob.Manifest.Characters);
        Assert.DoesNotContain("\"text\":\"ine", lines, StringComparison.Ordinal);
    }

    [Fact]
    public void Cutting_into_lines_gives_what_splitting_does_however_the_bytes_come()
    {
        var alphabet = Gen.Elements("a", "ä", "\n", "\r\n", "\n\n", new string('x', 70_000));
        Prop.ForAll(Arb.From(Gen.ListOf(alphabet).Select(l => string.Concat(l))), text =>
        {
            string[] wanted = text.Split('\n');
            wanted = wanted[^1].Length == 0 ? wanted[..^1] : wanted;
            return LinesAsync(new Dripping(Utf8(text))).GetAwaiter().GetResult().SequenceEqual(wanted);
        }).Check(Config.QuickThrowOnFailure);
    }

    [Fact]
    public async Task A_line_that_is_too_long_is_one_bad_row_and_the_next_is_read()
    {
        byte[] rows = [.. Utf8("{\"text\": \"one\"}\n"), .. Enumerable.Repeat((byte)'x', LineReader.LongestLine + 5), .. Utf8("\n{\"text\": \"two\"}\n")];

        var (blob, _) = await ImportAsync(Rules(_scratch), File("r.jsonl", rows));

        Assert.Equal((2, 1), (blob.Manifest.Documents, blob.Manifest.BadRows["too_long"]));
        Assert.Equal("r.jsonl:2", blob.Manifest.BadRowSamples.Single().At);
    }

    [Fact]
    public void A_set_of_digests_remembers_those_that_it_has_put_away()
    {
        using var set = new DigestSet(_scratch, most: 1000);
        var random = new SplitMix64(5);
        UInt128[] digests = [.. Enumerable.Range(0, 10_500).Select(_ => new UInt128(random.Next(), random.Next()))];

        Assert.All(digests, d => Assert.True(set.Add(d)));
        Assert.All(digests, d => Assert.False(set.Add(d)));
    }

    [Fact]
    public void Letters_are_counted_by_their_script()
    {
        var scripts = new Scripts();

        scripts.Add("Grüße 12! Привет, 世界 𠀀 か");

        Assert.Equal([("Cyrillic", 6L), ("Latin", 5), ("Han", 3), ("Hiragana", 1)], scripts.ToList());
    }

    [Fact]
    public async Task A_parquet_file_gives_a_document_for_each_row()
    {
        var text = new DataField<string>("text");
        var other = new DataField<int>("id");
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(other, text), file))
        {
            foreach (string?[] rows in new[] { new[] { "one", null, "three" }, ["four", "", "one"] })
            {
                using var group = writer.CreateRowGroup();
                await group.WriteAsync<int>(other, new[] { 1, 2, 3 });
                await group.WriteAsync(text, rows!);
            }
        }

        var (blob, lines) = await ImportAsync(Rules(_scratch), Forward("rows", file.ToArray()));

        Assert.Equal("{\"name\":\"rows:1\",\"text\":\"one\"}\n{\"name\":\"rows:3\",\"text\":\"three\"}\n{\"name\":\"rows:4\",\"text\":\"four\"}\n", lines);
        Assert.Equal(new Dictionary<string, long> { ["empty"] = 1, ["no_text"] = 1 }, blob.Manifest.BadRows);
        Assert.Equal((DatasetKinds.JsonLines, 1), (blob.Kind, blob.Manifest.Duplicates));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_scratch));
    }

    [Fact]
    public async Task A_parquet_file_of_conversations_gives_their_turns()
    {
        var role = new DataField<string>("role");
        var content = new DataField<string>("content");
        var schema = new ParquetSchema(new ListField("messages", new StructField("element", role, content)));
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(schema, file))
        {
            using var group = writer.CreateRowGroup();
            int[] repetition = [0, 1, 0, 1, 1];
            foreach (var (field, values) in schema.DataFields.Zip(new[] { new[] { "user", "assistant", "system", "user", "assistant" }, ["A", "B", "S", "C", "D"] }))
            {
                int[] definition = [.. values.Select(_ => field.MaxDefinitionLevel)];
                await group.WriteAllPartsAsync<ReadOnlyMemory<char>>(field, values.Select(v => v.AsMemory()).ToArray(), definition, repetition, CancellationToken.None);
            }
        }

        var (blob, lines) = await ImportAsync(Rules(_scratch), File("chat.parquet", file.ToArray()));

        Assert.Equal((DatasetKinds.Chat, 2, 5), (blob.Kind, blob.Manifest.Documents, blob.Manifest.Turns));
        Assert.StartsWith("{\"name\":\"chat.parquet:1\",\"messages\":[{\"role\":\"user\",\"content\":\"A\"},{\"role\":\"assistant\",\"content\":\"B\"}]}\n", lines, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_parquet_file_without_texts_is_refused_with_the_columns_that_it_has()
    {
        var id = new DataField<int>("id");
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(id), file))
        {
            using var group = writer.CreateRowGroup();
            await group.WriteAsync<int>(id, new[] { 1 });
        }

        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => ImportAsync(Rules(_scratch), File("n.parquet", file.ToArray())));
        var damaged = await Assert.ThrowsAsync<DatasetRefusedException>(() => ImportAsync(Rules(_scratch), File("n.parquet", file.ToArray()[..^9])));

        Assert.Equal("n.parquet has the columns id. Allowed: a column text, messages, conversations or instruction with output.", refused.Message);
        Assert.StartsWith("n.parquet is damaged or cut off: ", damaged.Message, StringComparison.Ordinal);
    }

    private static async Task<List<string>> LinesAsync(Stream stream)
    {
        var lines = new List<string>();
        await foreach (var line in LineReader.ReadAsync(stream, CancellationToken.None))
        {
            lines.Add(Encoding.UTF8.GetString(line.Bytes.Span));
        }

        return lines;
    }

    /// <summary>Gives bytes in pieces of uneven length.</summary>
    private sealed class Dripping(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, 1 + (int)(Position * 31 % 9000))], cancellationToken);
    }
}
