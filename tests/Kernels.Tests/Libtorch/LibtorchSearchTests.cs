using Hearth.Kernels;
using Xunit;

namespace Hearth.Tests;

/// <summary>Which libtorch is taken, over file systems that are described and not there.</summary>
public sealed class LibtorchSearchTests
{
    private const string Package = "/nuget/libtorch-cpu-linux-x64/2.10.0/runtimes/linux-x64/native";

    [Theory]
    [InlineData("/given/libtorch_cpu.so", "/given")]
    [InlineData("/given/lib/libtorch_cpu.so", "/given/lib")]
    public void The_folder_that_is_named_wins_over_all_others(string file, string folder)
    {
        var found = LibtorchSearch.Find(Machine([file, $"{Package}/libtorch_cpu.so", "/app/libtorch/libtorch_cpu.so"]) with { Given = "/given" });

        Assert.Equal((folder, "HEARTH_LIBTORCH"), (found.Folder, found.Source));
    }

    [Fact]
    public void A_named_folder_without_libtorch_is_refused_with_its_name()
    {
        var e = Assert.Throws<LibtorchException>(() => LibtorchSearch.Find(Machine([$"{Package}/libtorch_cpu.so"]) with { Given = "/elsewhere" }));

        Assert.Contains("HEARTH_LIBTORCH is /elsewhere", e.Message, StringComparison.Ordinal);
        Assert.Contains("libtorch_cpu.so", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_programs_own_comes_before_the_package()
    {
        var found = LibtorchSearch.Find(Machine([$"{Package}/libtorch_cpu.so", "/app/libtorch/libtorch_cpu.so"]));

        Assert.Equal(("/app/libtorch", "beside the program", false), (found.Folder, found.Source, found.HasCuda));
    }

    [Fact]
    public void Without_a_driver_python3_is_not_even_asked_while_there_is_a_package()
    {
        var found = LibtorchSearch.Find(Machine([$"{Package}/libtorch_cpu.so"]) with { Python = () => throw new InvalidOperationException("asked") });

        Assert.Equal((Package, "package"), (found.Folder, found.Source));
    }

    [Fact]
    public void With_a_driver_python3s_torch_with_CUDA_comes_before_the_package_and_brings_the_folders_of_CUDA()
    {
        var found = LibtorchSearch.Find(WithPython("2.11.0+cu130", [$"{Package}/libtorch_cpu.so", "/site/torch/lib/libtorch_cpu.so", "/site/torch/lib/libtorch_cuda.so"]));

        Assert.Equal(("/site/torch/lib", "python3", true), (found.Folder, found.Source, found.HasCuda));
        Assert.Equal(["/site/torch/lib", "/site/nvidia/cu13/lib", "/site/nvidia/nccl/lib"], found.Folders.Distinct());
    }

    [Fact]
    public void A_torch_without_CUDA_in_python3_does_not_hide_the_package()
    {
        var found = LibtorchSearch.Find(WithPython("2.11.0+cpu", [$"{Package}/libtorch_cpu.so", "/site/torch/lib/libtorch_cpu.so"]));

        Assert.Equal("package", found.Source);
    }

    [Fact]
    public void A_torch_without_CUDA_in_python3_serves_where_there_is_nothing_else()
    {
        var found = LibtorchSearch.Find(WithPython("2.10.1", ["/site/torch/lib/libtorch_cpu.so"]) with { HasDriver = false });

        Assert.Equal(("/site/torch/lib", "python3"), (found.Folder, found.Source));
    }

    [Theory]
    [InlineData("2.9.1+cu128", "python3's torch is 2.9.1+cu128, while 2.10 or newer is needed")]
    [InlineData("1.13.0a0", "python3's torch is 1.13.0a0")]
    [InlineData(null, "python3 has no torch")]
    public void Where_nothing_serves_the_message_says_what_was_seen(string? version, string expected)
    {
        string[] files = ["/site/torch/lib/libtorch_cpu.so", "/site/torch/lib/libtorch_cuda.so"];
        var places = version is null ? Machine([]) : WithPython(version, files);

        var e = Assert.Throws<LibtorchException>(() => LibtorchSearch.Find(places));

        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.Contains(Package, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/app/libLibTorchSharp.so", "/app/libLibTorchSharp.so")]
    [InlineData("/nuget/torchsharp/0.107.0/runtimes/linux-x64/native/libLibTorchSharp.so", "/nuget/torchsharp/0.107.0/runtimes/linux-x64/native/libLibTorchSharp.so")]
    public void TorchSharps_own_library_lies_beside_the_program_or_in_its_package(string file, string expected) =>
        Assert.Equal(expected, LibtorchSearch.FindLibTorchSharp(Machine([file])));

    [Fact]
    public void On_Windows_the_names_are_Windows_own()
    {
        var places = Machine(["/app/libtorch/torch_cpu.dll", "/app/libtorch/torch_cuda.dll", "/app/libtorch/LibTorchSharp.dll"]) with { Names = LibraryNames.Windows };

        Assert.True(LibtorchSearch.Find(places).HasCuda);
        Assert.Equal("/app/libtorch/LibTorchSharp.dll", LibtorchSearch.FindLibTorchSharp(places));
    }

    [Fact]
    public void Python3s_answer_is_read_without_importing_torch()
    {
        const string Version = "from typing import Optional\n__version__ = '2.11.0+cu130'\ncuda: Optional[str] = '13.0'\n";

        var torch = PythonTorchProbe.Read("torch /my site/torch\nnvidia /my site/nvidia\n", path => path == "/my site/torch/version.py" ? Version : null)!;

        Assert.Equal(("/my site/torch", "2.11.0+cu130"), (torch.Folder, torch.Version));
        Assert.Equal(["/my site/nvidia"], torch.NvidiaFolders);
        Assert.Null(PythonTorchProbe.Read("", _ => Version));
    }

    private static LibtorchPlaces Machine(string[] files) => new()
    {
        Names = LibraryNames.Linux,
        Program = "/app",
        Packages = "/nuget",
        FileExists = files.Contains,
        Subfolders = folder => folder == "/site/nvidia" ? ["/site/nvidia/nccl", "/site/nvidia/cu13"] : [],
    };

    private static LibtorchPlaces WithPython(string version, string[] files) =>
        Machine(files) with { HasDriver = true, Python = () => new PythonTorch("/site/torch", version, ["/site/nvidia"]) };
}
