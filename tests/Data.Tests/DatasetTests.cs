using FsCheck;
using FsCheck.Fluent;
using Hearth.Data;
using Hearth.Tokenizers;
using Hearth.Training.Data;
using Xunit;

namespace Hearth.Tests;

public sealed class DatasetTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-data-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Preparing_is_deterministic_and_done_once()
    {
        string source = WriteDocuments(40);

        string first = PreparedDataset.Prepare(source, Path.Combine(_folder, "a"), new Preparation(280, 0.2));
        string second = PreparedDataset.Prepare(source, Path.Combine(_folder, "b"), new Preparation(280, 0.2));
        var written = File.GetLastWriteTimeUtc(Path.Combine(first, PreparedDataset.TrainName));
        string again = PreparedDataset.Prepare(source, Path.Combine(_folder, "a"), new Preparation(280, 0.2));

        Assert.Equal(Path.GetFileName(first), Path.GetFileName(second));
        Assert.Equal(PreparedDataset.Verify(first).Files, PreparedDataset.Verify(second).Files);
        Assert.Equal(first, again);
        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(first, PreparedDataset.TrainName)));
        Assert.NotEqual(Path.GetFileName(first), Path.GetFileName(PreparedDataset.Prepare(source, Path.Combine(_folder, "a"), new Preparation(281, 0.2))));
    }

    [Fact]
    public void Packed_tokens_are_those_of_the_documents_in_order()
    {
        string source = WriteDocuments(30);
        string folder = PreparedDataset.Prepare(source, _folder, new Preparation(270, 0.2));
        var tokenizer = TokenizerFile.LoadFrom(folder);
        int[] expected = [.. Documents.Read(source).Where(d => !d.IsValidation(0.2)).SelectMany(d => (int[])[.. tokenizer.Encode(d.Text), 0])];

        using var shard = Shard.Open(Path.Combine(folder, PreparedDataset.TrainName));
        int[] tokens = new int[shard.Tokens];
        shard.Read(0, tokens);

        Assert.Equal(expected, tokens);
        Assert.Equal(tokenizer.Sha256, shard.TokenizerSha256);
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.Read(shard.Tokens - 1, new int[2]));
    }

    // A split is one file of any length, so the longest document is cut by nothing but the rows of training.
    [Fact]
    public void A_document_of_millions_of_characters_is_packed_whole_beside_small_ones()
    {
        string source = WriteDocuments(20), longest = string.Concat(Enumerable.Range(0, 300_000).Select(i => $"{i:x6} word\n"));
        File.WriteAllText(Path.Combine(source, "longest.txt"), longest);

        string folder = PreparedDataset.Prepare(source, _folder, new Preparation(270, 0.2));

        var tokenizer = TokenizerFile.LoadFrom(folder);
        int[] whole = [.. tokenizer.Encode(longest), 0];
        Assert.Contains(new[] { PreparedDataset.TrainName, PreparedDataset.ValidationName }, name =>
        {
            using var shard = Shard.Open(Path.Combine(folder, name));
            int[] tokens = new int[shard.Tokens];
            shard.Read(0, tokens);
            return tokens.AsSpan().IndexOf(whole) >= 0;
        });
        Assert.Equal(longest, tokenizer.Decode(whole));
    }

    [Theory]
    [InlineData("byte_bpe", 400, "tokenizer.json")]
    [InlineData("sentencepiece", 400, "spm.model")]
    [InlineData("length_max", 500, "tokenizer.json")]
    public void Each_kind_of_tokenizer_packs_documents_that_decode_to_their_text(string kind, int vocabulary, string file)
    {
        string source = WriteDocuments(30);
        string folder = PreparedDataset.Prepare(source, _folder, new Preparation(vocabulary, 0.2, kind));
        var tokenizer = TokenizerFile.LoadFrom(folder);
        using var shard = Shard.Open(Path.Combine(folder, PreparedDataset.TrainName));
        int[] tokens = new int[shard.Tokens];
        shard.Read(0, tokens);

        Assert.Equal((file, vocabulary, shard.TokenizerSha256), (tokenizer.FileName, Math.Max(vocabulary, tokenizer.VocabSize), tokenizer.Sha256));
        Assert.Contains(file, PreparedDataset.Verify(folder).Files.Select(f => f.Name));
        Assert.Equal(tokenizer.EndToken, tokens[^1]);
        string[] texts = [.. Documents.Read(source).Where(d => !d.IsValidation(0.2)).Select(d => d.Text)];
        Assert.Equal(texts, Split(tokens, tokenizer.EndToken).Select(ids => tokenizer.Decode(ids)));
    }

    [Fact]
    public void The_kind_of_tokenizer_is_part_of_a_datasets_key()
    {
        string[] keys = [.. Runs.TokenizerKinds.All.Select(kind => Data.DatasetContent.PreparedKey("content", 500, 0.1, kind))];

        Assert.Equal(3, keys.Distinct().Count());
        Assert.Equal(Data.DatasetContent.PreparedKey("content", 500, 0.1), keys[0]);
    }

    [Fact]
    public void A_changed_byte_of_a_prepared_file_is_refused_by_name()
    {
        string folder = PreparedDataset.Prepare(WriteDocuments(20), _folder, new Preparation(270, 0.2));
        string shard = Path.Combine(folder, PreparedDataset.TrainName);
        byte[] bytes = File.ReadAllBytes(shard);
        bytes[^1] ^= 1;
        File.WriteAllBytes(shard, bytes);

        var e = Assert.Throws<DatasetException>(() => PreparedDataset.Verify(folder));

        Assert.Contains("train.qpk", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Invalid_text_is_refused_with_file_and_offset()
    {
        string source = Path.Combine(_folder, "bad");
        Directory.CreateDirectory(source);
        File.WriteAllBytes(Path.Combine(source, "broken.txt"), [.. "abc"u8, 0xFF, .. "d"u8]);

        var e = Assert.Throws<DatasetException>(() => Documents.Read(source).ToList());

        Assert.Contains("broken.txt is no UTF-8: byte 0xFF at offset 3", e.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_pipe_and_a_link_to_nothing_are_refused_by_their_names_and_not_waited_for()
    {
        Skip.If(OperatingSystem.IsWindows(), "Windows has no pipes among files");
        string pipes = Directory.CreateDirectory(Path.Combine(_folder, "pipes")).FullName, links = Directory.CreateDirectory(Path.Combine(_folder, "links")).FullName;
        using (var made = System.Diagnostics.Process.Start("mkfifo", [Path.Combine(pipes, "a.txt")]))
        {
            await made.WaitForExitAsync();
        }

        File.CreateSymbolicLink(Path.Combine(links, "b.txt"), Path.Combine(_folder, "nothing"));

        var pipe = await Assert.ThrowsAsync<DatasetException>(() => Task.Run(() => Documents.Read(pipes).ToList()).WaitAsync(TimeSpan.FromSeconds(60)));
        var link = Assert.Throws<DatasetException>(() => Documents.Read(links).ToList());

        Assert.Equal(("a.txt is empty.", "b.txt is a link to a file that is not there."), (pipe.Message, link.Message));
    }

    [Theory]
    [InlineData("empty.txt", "", "empty.txt is empty")]
    [InlineData("rows.jsonl", "{\"text\":\"a\"}\n{\"other\":1}\n", "rows.jsonl, line 2")]
    [InlineData("rows.jsonl", "{\"text\":\"\"}\n", "its text is empty")]
    public void A_bad_file_is_named(string name, string content, string words)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, content);

        Assert.Contains(words, Assert.Throws<DatasetException>(() => Documents.Read(path).ToList()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_path_an_empty_folder_and_a_single_document_are_refused()
    {
        string empty = Path.Combine(_folder, "none");
        Directory.CreateDirectory(empty);
        string one = Path.Combine(_folder, "one.txt");
        File.WriteAllText(one, "one document");

        Assert.Contains("no file or folder", Assert.Throws<DatasetException>(() => Documents.Read(_folder + "/nothing")).Message, StringComparison.Ordinal);
        Assert.Contains("has no text file", Assert.Throws<DatasetException>(() => Documents.Read(empty)).Message, StringComparison.Ordinal);
        Assert.Contains("at least 2 documents", Assert.Throws<DatasetException>(() => PreparedDataset.Prepare(one, _folder, new Preparation(300, 0.1))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0x58, "magic")]
    [InlineData(4, 9, "version")]
    [InlineData(8, 3, "dtype")]
    [InlineData(23, 0x7F, "n_tokens")]
    public void A_shard_with_a_wrong_header_is_refused_by_field(int offset, byte value, string field)
    {
        string path = Path.Combine(_folder, "s.qpk");
        ShardWriter.Write(path, [[1, 2, 3]], new string('a', 64), 300);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[offset] = value;
        File.WriteAllBytes(path, bytes);

        Assert.Contains(field, Assert.Throws<DatasetException>(() => Shard.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_token_knows_its_document_wherever_a_window_begins() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<PositiveInt>(), (sizes, first) =>
        {
            string path = Path.Combine(_folder, "d.qpk");
            int[][] documents = [.. sizes.Select(s => new int[s % 5]), [1]];
            ShardWriter.Write(path, documents, new string('a', 64), 300);
            int[] all = [.. documents.SelectMany((d, i) => d.Select(_ => i))];
            using var shard = Shard.Open(path);
            int start = first.Get % all.Length;
            int[] read = new int[all.Length - start];
            shard.Documents(start, read);
            return read.SequenceEqual(all[start..].Select(d => d - all[start]));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Rows_that_share_a_token_make_every_token_but_the_first_a_target()
    {
        int[] tokens = [.. Enumerable.Range(0, 100)];
        string path = Path.Combine(_folder, "v.qpk");
        ShardWriter.Write(path, [tokens], new string('a', 64), 300);
        using var shard = Shard.Open(path);
        var rows = new WindowRows(shard, length: 10, stride: 9, masksDocuments: false);

        Assert.Equal(11, rows.Count);
        var all = rows.Read(11, row => row);
        Assert.Equal(tokens[1..], Enumerable.Range(0, 11).SelectMany(r => all.Labels[((r * 10) + 1)..((r + 1) * 10)]));
    }

    [Fact]
    public void Rows_of_metadata_read_back_and_a_shard_without_them_has_none()
    {
        string path = Path.Combine(_folder, "r.qpk");
        RowMetadata[] rows = [new(null, 3), default, new(-1, 0)];
        using (var writer = new ShardWriter(path, new string('a', 64), 300, hasMetadata: true))
        {
            writer.Add([1, 2, 3], metadata: rows[0]);
            writer.Add([4], metadata: rows[1]);
            writer.Add([5, 6], metadata: rows[2]);
            writer.Finish();
        }

        using (var shard = Shard.Open(path))
        {
            Assert.Equal(rows, shard.Rows);
            Assert.Equal([true, false, false], shard.Rows!.Select(r => r.Decides));
            Assert.Equal([(0L, 3), (3L, 1), (4L, 2)], Enumerable.Range(0, 3).Select(d => shard.Extent(d)));
        }

        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^"{}\n".Length]);
        Assert.Contains("row 2", Assert.Throws<DatasetException>(() => Shard.Open(path)).Message, StringComparison.Ordinal);
        ShardWriter.Write(path, [[1, 2, 3], [4]], new string('a', 64), 300);
        using var plain = Shard.Open(path);
        Assert.Null(plain.Rows);
    }

    [Fact]
    public void A_wrong_class_is_refused_with_its_line()
    {
        string path = Path.Combine(_folder, "classes.jsonl");
        File.WriteAllText(path, "{\"text\": \"a\", \"decision_label\": 0}\n{\"text\": \"b\", \"decision_label\": 1.5}\n");

        Assert.Equal("classes.jsonl, line 2: its decision_label is 1.5. Allowed: 0 to 3.", Assert.Throws<DatasetException>(() => Documents.Read(path).Count()).Message);
    }

    [Fact]
    public void A_truncated_shard_is_refused()
    {
        string path = Path.Combine(_folder, "s.qpk");
        ShardWriter.Write(path, [[1, 2, 3], [4]], new string('a', 64), 300);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^9]);

        Assert.Contains("length", Assert.Throws<DatasetException>(() => Shard.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_epoch_is_a_permutation_and_the_stream_has_no_gap() =>
        Prop.ForAll(ArbMap.Default.ArbFor<PositiveInt>(), ArbMap.Default.ArbFor<PositiveInt>(), ArbMap.Default.ArbFor<int>(), (w, r, seed) =>
        {
            int windows = (w.Get % 50) + 1, rows = (r.Get % 7) + 1;
            var order = new BatchOrder(windows, seed, 0);
            var stream = Enumerable.Range(0, windows * 3 * rows).Select(i => order.Window(i / rows, i % rows, rows)).ToArray();
            return stream.Chunk(windows).All(epoch => epoch.Order().SequenceEqual(Enumerable.Range(0, epoch.Length).Select(i => (long)i)));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_order_depends_on_seed_and_step_alone()
    {
        var forward = new BatchOrder(100, 7, 0);
        long[] straight = [.. Enumerable.Range(0, 60).Select(s => forward.Window(s, 1, 4))];
        var late = new BatchOrder(100, 7, 0);

        Assert.Equal(straight[59], late.Window(59, 1, 4));
        Assert.Equal(straight[3], late.Window(3, 1, 4));
        Assert.NotEqual(straight, [.. Enumerable.Range(0, 60).Select(s => new BatchOrder(100, 8, 0).Window(s, 1, 4))]);
    }

    private static IEnumerable<int[]> Split(int[] tokens, int end)
    {
        for (int start = 0, at; start < tokens.Length; start = at + 1)
        {
            at = Array.IndexOf(tokens, end, start);
            yield return tokens[start..at];
        }
    }

    private string WriteDocuments(int count)
    {
        string source = Path.Combine(_folder, "source");
        Directory.CreateDirectory(source);
        for (int i = 0; i < count; i++)
        {
            File.WriteAllText(Path.Combine(source, $"{i:D3}.txt"), $"document {i}: the quick brown fox jumps over {i * 37} lazy dogs");
        }

        return source;
    }
}
