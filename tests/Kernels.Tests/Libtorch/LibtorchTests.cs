using System.Runtime.InteropServices;
using System.Xml.Linq;
using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class LibtorchTests
{
    [Fact]
    public void The_process_holds_the_libtorch_that_was_found_and_no_other()
    {
        var info = Libtorch.Load();
        using var scope = NewDisposeScope();

        Assert.Equal(4, ones(2, 2).mm(ones(2, 2)).sum().item<float>() / 2);
        string[] libraries = [.. File.ReadLines("/proc/self/maps").Where(l => l.Contains("/libtorch", StringComparison.Ordinal) || l.Contains("/libc10", StringComparison.Ordinal)).Select(l => l[l.IndexOf('/', StringComparison.Ordinal)..]).Distinct()];
        Assert.Contains(Path.Combine(info.Folder, "libtorch_cpu.so"), libraries);
        Assert.All(libraries, l => Assert.Equal(info.Folder, Path.GetDirectoryName(l)));
        Assert.True(Version.Parse(info.Version) >= new Version(2, 10));
    }

    [Fact]
    public void Every_call_gives_the_same_answer_from_any_thread()
    {
        var all = new LibtorchInfo[8];
        Parallel.For(0, all.Length, i => all[i] = Libtorch.Load());

        Assert.All(all, i => Assert.Same(all[0], i));
    }

    [Fact]
    public void The_sentence_names_version_flavour_and_place()
    {
        var info = new LibtorchInfo("2.11.0", "/site/torch/lib", "python3", "13", "/cache/libLibTorchSharp.so", Patched: true);

        Assert.Equal("libtorch 2.11.0 (CUDA 13)", info.Name);
        Assert.StartsWith("libtorch 2.11.0 (CUDA 13) of python3, /site/torch/lib; this machine's libstdc++ is older", info.ToString(), StringComparison.Ordinal);
        Assert.Equal("libtorch 2.10.0 (CPU) of package, /p", new LibtorchInfo("2.10.0", "/p", "package", null, "/l", Patched: false).ToString());
    }

    [Theory]
    [InlineData(true, false, Architecture.Arm64, "linux-arm64", "x64")]
    [InlineData(true, false, Architecture.X64, "linux-musl-x64", "musl")]
    [InlineData(false, false, Architecture.X64, "osx-x64", "Linux and Windows")]
    public void A_machine_without_any_libtorch_is_told_so_in_a_sentence(bool linux, bool windows, Architecture architecture, string runtime, string expected) =>
        Assert.Contains(expected, Assert.Throws<LibtorchException>(() => Machine.Check(linux, windows, architecture, runtime)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("Unable to load ...\nlibtorch_cpu.so: /lib/libc.so.6: version `GLIBC_2.28' not found (required by libtorch_cpu.so)\n", "C library is too old")]
    [InlineData("libcudnn.so.9: cannot open shared object file: No such file or directory", "libcudnn.so.9")]
    public void A_library_that_the_loader_refuses_is_named_with_the_loaders_reason(string words, string expected)
    {
        string message = Machine.WhyNotLoaded("/torch/libtorch_cpu.so", words);

        Assert.StartsWith("libtorch_cpu.so cannot be loaded: ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(64)]
    [InlineData(100_000)]
    [InlineData(-1)]
    public void A_library_that_was_cut_off_is_named_before_the_loader_sees_it(int length)
    {
        string folder = Directory.CreateTempSubdirectory("hearth-").FullName;
        try
        {
            string cut = Path.Combine(folder, "libtorch_cpu.so");
            byte[] whole = File.ReadAllBytes(Libtorch.Load().LibTorchSharp);
            File.WriteAllBytes(cut, whole);
            Assert.NotEmpty(Libtorch.NeedsOf(cut));

            File.WriteAllBytes(cut, length < 0 ? new byte[4096] : whole[..length]);
            string message = Assert.Throws<LibtorchException>(() => Libtorch.NeedsOf(cut)).Message;

            Assert.StartsWith($"{cut} is no whole library: ", message, StringComparison.Ordinal);
            Assert.Contains("HEARTH_LIBTORCH", message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void The_versions_that_are_searched_for_are_those_that_the_build_restores()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Directory.Packages.props")))
        {
            root = Path.GetDirectoryName(root)!;
        }

        var versions = XDocument.Load(Path.Combine(root, "Directory.Packages.props")).Descendants("PackageVersion").ToDictionary(e => (string)e.Attribute("Include")!, e => (string)e.Attribute("Version")!);
        Assert.Equal(LibtorchSearch.TorchSharpVersion, versions["TorchSharp"]);
        Assert.Equal(LibtorchSearch.CpuPackageVersion, versions["libtorch-cpu-linux-x64"]);
    }

    [Theory]
    [InlineData("/cache", "/home/a", "/cache/hearth")]
    [InlineData("", "/home/a", "/home/a/.cache/hearth")]
    public void Derived_files_lie_in_the_users_cache(string cacheHome, string home, string expected) =>
        Assert.Equal(expected, CacheFolder.Of(cacheHome, home, "/tmp"));
}
