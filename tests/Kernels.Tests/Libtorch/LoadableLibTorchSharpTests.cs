using Hearth.Kernels;
using Xunit;

namespace Hearth.Tests;

/// <summary>The copy that loads over an older libstdc++, on the file that TorchSharp's package holds.</summary>
public sealed class LoadableLibTorchSharpTests : IDisposable
{
    private static readonly string Shipped = Path.Combine(
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages"),
        "torchsharp", LibtorchSearch.TorchSharpVersion, "runtimes", "linux-x64", "native", "libLibTorchSharp.so");

    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_copy_differs_in_one_byte_and_asks_for_everything_else_as_before()
    {
        byte[] before = File.ReadAllBytes(Shipped);
        string copy = LoadableLibTorchSharp.WeakCopy(Shipped, Path.Combine(_folder, "new"));
        byte[] after = File.ReadAllBytes(copy);

        Assert.Contains(LoadableLibTorchSharp.KnownSha256, copy, StringComparison.Ordinal);
        Assert.Equal(1, before.Zip(after).Count(p => p.First != p.Second));
        Assert.All(Needs(before).Zip(Needs(after)), p => Assert.Equal(p.First with { Flags = p.Second.Flags }, p.Second));
        Assert.Equal(LoadableLibTorchSharp.NewestNeed, Assert.Single(Needs(after), n => n.Flags == 2).Version);
        Assert.DoesNotContain(Needs(before), n => n.Flags != 0);
    }

    [Fact]
    public void A_second_start_takes_the_copy_of_the_first()
    {
        string first = LoadableLibTorchSharp.WeakCopy(Shipped, _folder);
        var written = File.GetLastWriteTimeUtc(first);

        Assert.Equal(first, LoadableLibTorchSharp.WeakCopy(Shipped, _folder));
        Assert.Equal(written, File.GetLastWriteTimeUtc(first));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_file_that_is_not_the_known_one_is_refused_with_its_hash()
    {
        string other = Path.Combine(_folder, "libLibTorchSharp.so");
        byte[] bytes = File.ReadAllBytes(Shipped);
        bytes[^1] ^= 1;
        File.WriteAllBytes(other, bytes);

        var e = Assert.Throws<LibtorchException>(() => LoadableLibTorchSharp.WeakCopy(other, _folder));

        Assert.Contains("SHA-256", e.Message, StringComparison.Ordinal);
        Assert.Contains(LoadableLibTorchSharp.NewestNeed, e.Message, StringComparison.Ordinal);
        Assert.Equal([other], Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_cache_that_cannot_be_written_is_named_with_what_helps()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");

        var e = Assert.Throws<LibtorchException>(() => LoadableLibTorchSharp.WeakCopy(Shipped, Path.Combine(file, "cache")));

        Assert.Contains("XDG_CACHE_HOME", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_libraries_that_TorchSharps_library_needs_are_read_from_its_table()
    {
        using var file = File.OpenRead(Shipped);

        Assert.Equal(["libtorch.so", "libc10.so", "libtorch_cpu.so"], new ElfFile(file).NeededLibraries().Take(3));
    }

    [Fact]
    public void What_is_no_shared_library_is_refused() =>
        Assert.Throws<InvalidDataException>(() => new ElfFile(new MemoryStream(new byte[100])));

    private static IReadOnlyList<ElfFile.VersionNeed> Needs(byte[] library) => new ElfFile(new MemoryStream(library)).VersionNeedsOfAll();
}
