using System.Text;
using Hearth.Api;
using Hearth.Coordinator.Datasets;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Data;
using Hearth.Training.Data;
using Xunit;

namespace Hearth.Tests.Datasets;

/// <summary>What the coordinator writes, read by the trainer's own code.</summary>
public sealed class CanonicalBlobTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-import-").FullName;

    private readonly string _output = Directory.CreateTempSubdirectory("hearth-blob-").FullName;

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        Directory.Delete(_output, recursive: true);
    }

    [Fact]
    public async Task The_trainer_reads_the_blob_as_it_reads_the_files()
    {
        Write("b.txt", "Grüße, \"Welt\" \\ 🌍\n");
        Write("a/z.md", "line ends stay\r\n");
        Write("B.rst", "upper case comes first");
        Write("many.jsonl", "{\"text\": \"one\"}\n\n{\"text\": \"two \\ud83d\\ude00\", \"more\": 1}\r\n");
        Write("ignored.bin", "no text");

        var (blob, path) = await ImportAsync(_folder);

        var files = Documents.Read(_folder).ToList();
        var imported = Documents.Read(path).ToList();
        Assert.Equal(files.Select(d => d.Text), imported.Select(d => d.Text));
        Assert.Equal((5, ContentHash(files)), (blob.Manifest.Documents, blob.ContentSha256));
        Assert.Equal(blob.Bytes, new FileInfo(path).Length);
    }

    [Fact]
    public async Task What_a_line_says_of_its_decision_reaches_the_trainer_and_the_datasets_key()
    {
        Write("rows.jsonl", """
            {"text": "up", "decision_label": 2, "decision_pos": 0, "source": "a"}
            {"text": "down", "decision_label": 0}
            {"text": "no decision"}
            """);

        var (blob, path) = await ImportAsync(_folder);

        var imported = Documents.Read(path).ToList();
        Assert.Equal([new RowMetadata(0, 2), new RowMetadata(null, 0), default], imported.Select(d => d.Metadata));
        Assert.Equal(ContentHash(Documents.Read(_folder)), blob.ContentSha256);
        Assert.NotEqual(ContentHash(imported.Select(d => d with { Metadata = default })), blob.ContentSha256);
    }

    [Fact]
    public async Task Conversations_in_any_form_reach_the_trainer_as_turns()
    {
        Write("a.jsonl", """
            {"messages": [{"role": "user", "content": "Hi \ud83d\ude00"}, {"role": "assistant", "content": "Yes?"}], "decision_label": 1}
            {"instruction": "One", "output": "Two"}
            """);
        Write("b.jsonl", """{"conversations": [{"from": "human", "value": "A"}, {"from": "gpt", "value": "B"}]}""");

        var (blob, path) = await ImportAsync(_folder);

        var imported = Documents.Read(path).ToList();
        Assert.Equal((DatasetKinds.Chat, 6L), (blob.Kind, blob.Manifest.Turns));
        Assert.Equal(["Hi 😀 Yes?", "One Two", "A B"], imported.Select(d => string.Join(' ', d.Turns!.Select(t => t.Content))));
        Assert.Equal([new RowMetadata(null, 1), default, default], imported.Select(d => d.Metadata));
        Assert.Equal(ContentHash(Documents.Read(_folder)), blob.ContentSha256);
    }

    [Fact]
    public async Task Texts_and_conversations_are_not_mixed_in_a_dataset()
    {
        Write("a.jsonl", """{"instruction": "One", "output": "Two"}""");
        Write("b.jsonl", """{"text": "a text"}""");

        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => ImportAsync(_folder));

        Assert.Equal("b.jsonl:1 is a text, and the documents before it are conversations. Allowed: one kind in a dataset; import the other as a dataset of its own.", refused.Error.Message);
    }

    [Fact]
    public async Task The_key_is_the_one_that_the_trainer_prepares_under()
    {
        for (int i = 0; i < 20; i++)
        {
            Write($"{i:D2}.txt", $"The document {i} says something {i * i} times.");
        }

        var (blob, path) = await ImportAsync(_folder);
        string prepared = PreparedDataset.Prepare(path, Path.Combine(_output, "cache"), new Preparation(300, 0.2));

        Assert.Equal($"prepared-{DatasetContent.PreparedKey(blob.ContentSha256, 300, 0.2)}", Path.GetFileName(prepared));
    }

    [Theory]
    [InlineData("bad.txt", "ab\xFF", "no document (bad rows: 1 not_utf8; the first is bad.txt, not_utf8: in the 65536 bytes from offset 0)")]
    [InlineData("empty.txt", "", "no document (bad rows: 1 empty; the first is empty.txt, empty)")]
    [InlineData("bad.jsonl", "{\"text\": \"a\"}\n\n{\"txt\": 1}", "1 document (bad rows: 1 no_text; the first is bad.jsonl:3, no_text: {\"txt\": 1})")]
    [InlineData("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\", \"decision_label\": 4}", "1 document (bad rows: 1 wrong_field; the first is bad.jsonl:2, wrong_field: its decision_label is 4. Allowed: 0 to 3)")]
    [InlineData("bad.jsonl", "{\"text\": \"a\", \"decision_pos\": \"first\"}", "no document (bad rows: 1 wrong_field; the first is bad.jsonl:1, wrong_field: its decision_pos is \"first\". Allowed: -1, or the index of a token)")]
    [InlineData("twice.jsonl", "{\"text\": \"a\"}\n{\"text\": \"a\"}", "1 document (1 duplicates)")]
    [InlineData("blank.jsonl", "\n\n", "no document")]
    [InlineData("one.txt", "one", "1 document")]
    public async Task What_is_no_dataset_is_refused_with_what_was_found_and_where(string name, string latin1, string found)
    {
        await File.WriteAllBytesAsync(Path.Combine(_folder, name), Encoding.Latin1.GetBytes(latin1));

        var e = await Assert.ThrowsAsync<DatasetRefusedException>(() => ImportAsync(_folder));

        Assert.Equal($"The dataset has {found}; one must train and another validate. Allowed: at least 2 documents, as files or as lines of a .jsonl.", e.Message);
    }

    [Fact]
    public void Only_allowed_folders_are_read_whatever_links_and_dots_say()
    {
        Write("open/a.txt", "may be read");
        Write("closed/b.txt", "may not be read");
        Directory.CreateSymbolicLink(Path.Combine(_folder, "open", "way-out"), Path.Combine(_folder, "closed"));
        var sources = new SourceFiles([Path.Combine(_folder, "open")]);
        IReadOnlyList<SourceFile> Find(string path) => sources.Find(new ImportDataset("d", [path], "mine"));

        Assert.Equal(["a.txt"], Find(Path.Combine(_folder, "open")).Select(f => f.Name));
        Assert.Equal(["a.txt"], Find(Path.Combine(_folder, "open", "a.txt")).Select(f => f.Name));
        foreach (string path in new[] { "closed", "open/way-out", "open/../closed/b.txt", "open-too", "" })
        {
            var e = Assert.Throws<DatasetRefusedException>(() => Find(Path.Combine(_folder, path)));
            Assert.Contains("may not be imported", e.Message, StringComparison.Ordinal);
        }

        Assert.Contains("no absolute path", Assert.Throws<DatasetRefusedException>(() => Find("a.txt")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Several_folders_give_names_in_ordinal_order_and_no_name_twice()
    {
        Write("one/b.txt", "b");
        Write("two/a.txt", "a");
        var sources = new SourceFiles([]);

        var files = sources.Find(new ImportDataset("d", [Path.Combine(_folder, "two"), Path.Combine(_folder, "one")], "mine"));

        Assert.Equal(["one/b.txt", "two/a.txt"], files.Select(f => f.Name));
        Assert.Throws<DatasetRefusedException>(() => sources.Find(new ImportDataset("d", [Path.Combine(_folder, "one"), Path.Combine(_folder, "one")], "mine")));
    }

    private async Task<(CanonicalBlob Blob, string Path)> ImportAsync(string folder)
    {
        string path = Path.Combine(_output, CanonicalBlob.FileName);
        await using var target = File.Create(path);
        return (await CanonicalBlob.WriteAsync(new SourceFiles([]).Find(new ImportDataset("d", [folder], "mine")), Imports.Rules(_output), target, null, default), path);
    }

    private static string ContentHash(IEnumerable<Document> documents)
    {
        using var content = new DatasetContent();
        foreach (var document in documents)
        {
            if (document.Turns is { } turns)
            {
                content.Add(turns, document.Metadata);
            }
            else
            {
                content.Add(document.Text, document.Metadata);
            }
        }

        return content.Finish();
    }

    private void Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text, new UTF8Encoding(false));
    }
}
