using System.Formats.Tar;
using System.Text;
using Hearth.Coordinator.Datasets.Sources;
using Xunit;
using static Hearth.Tests.Datasets.Imports;

namespace Hearth.Tests.Datasets;

/// <summary>What comes out of files, whole ones and hostile ones.</summary>
public sealed class Unpacking : IDisposable
{
    private const int Link = 0xA1FF;
    private const int Pipe = 0x11FF;
    private const int Plain = 0x81A4;
    private static readonly byte[] Hello = Utf8("hello there");
    private readonly string _scratch = Directory.CreateTempSubdirectory("hearth-unpack-").FullName;

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    [Fact]
    public async Task Packings_and_archives_come_off_by_what_the_bytes_are_whatever_the_name_is()
    {
        byte[] tar = Tar(TarFile("a.txt", Hello), TarFile("b/c.jsonl", Utf8("{}")));
        byte[] zip = Zip(("a.md", Hello, Plain), ("b/", [], 0x41ED), ("b/inner.tar.gz", Gzip(tar), 0));

        Assert.Equal(["d.bin Text hello there"], await ReadAsync(File("d.bin", Gzip(Hello))));
        Assert.Equal(["d Text hello there"], await ReadAsync(File("d", Zstandard(Hello))));
        Assert.Equal(["d Text hello therehello there"], await ReadAsync(File("d", [.. Gzip(Hello), .. Gzip(Hello)])));
        Assert.Equal(["rows.jsonl.zst JsonLines hello there"], await ReadAsync(File("rows.jsonl.zst", Zstandard(Hello))));
        Assert.Equal(["d JsonLines  {\"a\""], await ReadAsync(File("d", "\uFEFF {\"a\"")));
        Assert.Equal(["d.txt/a.txt Text hello there", "d.txt/b/c.jsonl JsonLines {}"], await ReadAsync(File("d.txt", tar)));
        Assert.Equal(["d.tgz/a.txt Text hello there", "d.tgz/b/c.jsonl JsonLines {}"], await ReadAsync(File("d.tgz", Gzip(tar))));
        string[] inZip = ["d.zip/a.md Text hello there", "d.zip/b/inner.tar.gz/a.txt Text hello there", "d.zip/b/inner.tar.gz/b/c.jsonl JsonLines {}"];
        Assert.Equal(inZip, await ReadAsync(File("d.zip", zip)));
        Assert.Equal(inZip, await ReadAsync(Forward("d.zip", zip)));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_scratch));
    }

    [Fact]
    public async Task What_an_archive_must_not_bring_is_left_out_and_counted_by_its_reason()
    {
        var unpacker = new Unpacker(new SourceLimits(), _scratch);
        byte[] tar = Tar(
            TarFile("../../up.txt", Hello), TarFile("/etc/passwd.txt", Hello), TarFile("good.txt", Hello), TarFile("photo.png", Hello),
            new PaxTarEntry(TarEntryType.SymbolicLink, "link.txt") { LinkName = "/etc/passwd" }, new PaxTarEntry(TarEntryType.HardLink, "hard.txt") { LinkName = "good.txt" },
            new PaxTarEntry(TarEntryType.Fifo, "pipe.txt"), new PaxTarEntry(TarEntryType.CharacterDevice, "zero.txt") { DeviceMajor = 1, DeviceMinor = 5 },
            new PaxTarEntry(TarEntryType.Directory, "folder"));
        byte[] zip = Zip(("..\\up.txt", Hello, 0), ("C:\\boot.txt", Hello, 0), ("a/../../b.txt", Hello, Plain), ("nul\0.txt", Hello, 0), ("link.txt", Hello, Link), ("pipe.txt", [], Pipe), ("fine.txt", Hello, Plain));

        var read = await ReadAsync(unpacker, File("d.tar", tar), File("d.zip", zip));

        Assert.Equal(["d.tar/good.txt Text hello there", "d.zip/fine.txt Text hello there"], read);
        Assert.Equal(
            ["absolute path 2", "link 3", "name with control or broken characters 1", "no text file by its name (.png) 1", "path that climbs 3", "pipe or device 3"],
            unpacker.Skipped.ToList().Select(s => $"{s.Reason} {s.Count}"));
        Assert.Equal(["d.tar/../../up.txt", "d.zip/..\\up.txt", "d.zip/a/../../b.txt"], unpacker.Skipped.ToList().Single(s => s.Reason == "path that climbs").Names);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_scratch));
    }

    [Fact]
    public async Task An_archive_may_hold_archives_but_not_ever_deeper_ones()
    {
        var unpacker = new Unpacker(new SourceLimits(), _scratch);
        byte[] one = Zip(("a.txt", Hello, 0)), two = Zip(("one.zip", one, 0), ("b.txt", Hello, 0)), three = Tar(TarFile("two.zip", two), TarFile("c.txt.gz", Gzip(Gzip(Gzip(Hello)))));

        Assert.Equal(["three/two.zip/b.txt Text hello there"], await ReadAsync(unpacker, File("three", three)));
        Assert.Equal(["archive in an archive in an archive 1", "packed more than twice over 1"], unpacker.Skipped.ToList().Select(s => $"{s.Reason} {s.Count}"));
    }

    [Theory]
    [InlineData("gz")]
    [InlineData("zst")]
    [InlineData("zip")]
    public async Task A_bomb_ends_at_the_ratio_with_its_name_what_it_gives_and_what_is_allowed(string form)
    {
        byte[] letters = [.. Enumerable.Repeat((byte)'a', 8 << 20)];
        byte[] bomb = form == "gz" ? Gzip(letters) : form == "zst" ? Zstandard(letters) : Zip(("a.txt", letters, 0));
        var unpacker = new Unpacker(new SourceLimits { RatioFreeBytes = 1 << 20, MostRatio = 100 }, _scratch);

        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => ReadAsync(unpacker, File($"bomb.{form}", bomb)));

        Assert.Matches($@"^bomb\.{form}(/a\.txt)? gives [\d,]+ bytes out of each byte\. Allowed: at most 100 bytes out of each byte \(HEARTH_IMPORT_RATIO\)\.$", refused.Message);
    }

    [Fact]
    public async Task The_entries_of_a_zip_that_share_their_bytes_are_held_against_the_whole_of_it()
    {
        byte[] kernel = new byte[1 << 20];
        var entries = Enumerable.Range(0, 40).Select(i => ($"{i:D2}.txt", kernel, 0)).ToArray();
        var unpacker = new Unpacker(new SourceLimits { RatioFreeBytes = 4 << 20, MostRatio = 100 }, _scratch);

        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => ReadAsync(unpacker, File("many.zip", Zip(entries))));

        Assert.StartsWith("many.zip/", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_bytes_and_all_entries_of_an_import_are_bounded()
    {
        var bytes = new Unpacker(new SourceLimits { MostBytes = 30 }, _scratch);
        var entries = new Unpacker(new SourceLimits { MostEntries = 2 }, _scratch);
        byte[] tar = Tar(TarFile("1.txt", Hello), TarFile("../2", Hello), TarFile("3.txt", Hello));

        var many = await Assert.ThrowsAsync<DatasetRefusedException>(() => ReadAsync(bytes, File("a.gz", Gzip(Hello)), File("b.gz", Gzip(Hello)), File("c.gz", Gzip(Hello))));
        var more = await Assert.ThrowsAsync<DatasetRefusedException>(() => ReadAsync(entries, File("d.tar", tar)));

        Assert.Equal("c.gz gives more than 30 bytes unpacked. Allowed: at most 30 bytes unpacked in an import (HEARTH_IMPORT_MOST_BYTES).", many.Message);
        Assert.Equal("d.tar gives more than 2 entries. Allowed: at most 2 entries in the archives of an import (HEARTH_IMPORT_MOST_ENTRIES).", more.Message);
    }

    [Theory]
    [InlineData("gz")]
    [InlineData("zst")]
    [InlineData("zip")]
    [InlineData("tar")]
    public async Task What_is_cut_off_or_broken_is_told_as_that(string form)
    {
        byte[] text = [.. Enumerable.Range(0, 40_000).Select(i => (byte)('a' + (i * 7919 % 26)))];
        byte[] whole = form switch { "gz" => Gzip(text), "zst" => Zstandard(text), "zip" => Zip(("a.txt", text, 0)), _ => Tar(TarFile("a.txt", text)) };

        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => ReadAsync(File($"cut.{form}", whole[..(whole.Length / 2)])));

        Assert.StartsWith($"cut.{form} is damaged or cut off: ", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_neither_text_nor_known_is_left_out_and_told()
    {
        var unpacker = new Unpacker(new SourceLimits(), _scratch);

        Assert.Empty(await ReadAsync(unpacker, File("photo", [0xff, 0xd8, 0xff, 0xe0, 0, 1])));
        Assert.Equal(("neither text nor a known format", 1), unpacker.Skipped.ToList().Select(s => (s.Reason, s.Count)).Single());
    }

    [Theory]
    [InlineData("HEARTH_IMPORT_RATIO", "1", "HEARTH_IMPORT_RATIO is 1. Allowed: 2 to 1,000,000.")]
    [InlineData("HEARTH_IMPORT_MOST_BYTES", "much", "HEARTH_IMPORT_MOST_BYTES is much. Allowed: 1 to 1125899906842624.")]
    [InlineData("HEARTH_IMPORT_MOST_ENTRIES", "-1", "HEARTH_IMPORT_MOST_ENTRIES is -1. Allowed: 1 to 100,000,000.")]
    public void A_wrong_setting_is_refused_with_its_name_its_value_and_what_is_allowed(string name, string value, string message)
    {
        var settings = new Microsoft.Extensions.Configuration.ConfigurationManager { [name] = value };

        Assert.Equal(message, Assert.Throws<InvalidOperationException>(() => SourceLimits.Read(settings)).Message);
    }

    private Task<List<string>> ReadAsync(params SourceFile[] files) => ReadAsync(new Unpacker(new SourceLimits(), _scratch), files);

    private static async Task<List<string>> ReadAsync(Unpacker unpacker, params SourceFile[] files)
    {
        var read = new List<string>();
        await foreach (var entry in unpacker.ReadAsync(files, CancellationToken.None))
        {
            using var text = new StreamReader(entry.Content, Encoding.UTF8, leaveOpen: true);
            read.Add($"{entry.Name} {entry.Form} {await text.ReadToEndAsync()}");
        }

        return read;
    }
}
