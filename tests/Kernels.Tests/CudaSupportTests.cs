using System.Runtime.InteropServices;
using Hearth.Kernels;
using Hearth.Kernels.Cuda;
using Hearth.Kernels.Door;
using Hearth.Kernels.Runtime;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>What runs kernels on a card, as far as it goes without one.</summary>
public sealed class CudaSupportTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"hearth-kernels-{Guid.NewGuid():n}");

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Fact]
    public void Every_source_is_embedded_and_holds_the_kernels_that_are_launched()
    {
        string[] kernels =
        [
            "fused:cross_entropy", "fused:swiglu", "fused:swiglu_backward", "fused:rope", "fused:rms_norm", "fused:rms_norm_backward", "moments:adamw8",
            "norms:square_sums", "norms:norms", "scans:delta_forward", "scans:delta_backward", "scans:ssd_forward", "scans:ssd_backward",
        ];

        Assert.All(kernels, kernel => Assert.Contains($"__global__ void {kernel.Split(':')[1]}(", CudaModules.Text(kernel.Split(':')[0]), StringComparison.Ordinal));
        Assert.Equal(CudaModules.Sources, kernels.Select(k => k.Split(':')[0]).Distinct());
        Assert.Contains("block_sum", CudaModules.Text("prelude"), StringComparison.Ordinal);
        Assert.Throws<KernelException>(() => CudaModules.Text("nothing"));
    }

    [Fact]
    public void Compiled_code_is_kept_by_all_that_decides_it()
    {
        string[] options = CudaModules.Options((9, 0));
        string key = KernelCache.Key("text", options, "NVRTC 13.0, driver 13000");

        Assert.Contains("--gpu-architecture=sm_90", options);
        Assert.Equal(key, KernelCache.Key("text", options, "NVRTC 13.0, driver 13000"));
        Assert.Equal(5, new HashSet<string>(
        [
            key,
            KernelCache.Key("text2", options, "NVRTC 13.0, driver 13000"),
            KernelCache.Key("text", CudaModules.Options((12, 0)), "NVRTC 13.0, driver 13000"),
            KernelCache.Key("text", options, "NVRTC 12.8, driver 13000"),
            KernelCache.Key("text", options, "NVRTC 13.0, driver 12080"),
        ]).Count);
    }

    [Fact]
    public void A_damaged_or_missing_file_is_made_again_and_a_whole_one_is_read()
    {
        var cache = new KernelCache(_folder);
        byte[] code = [1, 2, 3, 4];

        Assert.Equal(code, cache.Get("key", () => code));
        Assert.Equal(code, cache.Get("key", () => throw new InvalidOperationException("made twice")));
        byte[] file = File.ReadAllBytes(cache.PathOf("key"));
        file[^1] ^= 1;
        File.WriteAllBytes(cache.PathOf("key"), file);
        Assert.Equal(code, cache.Get("key", () => code));
        cache.Forget("key");
        Assert.Equal(code, cache.Get("key", () => code));
        Assert.Equal((1, 3), cache.Counts);
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_cache_that_cannot_be_written_is_no_obstacle()
    {
        File.WriteAllText(_folder, "a file where the folder should be");
        try
        {
            Assert.Equal([7], new KernelCache(_folder).Get("key", () => [7]));
        }
        finally
        {
            File.Delete(_folder);
        }
    }

    [Fact]
    public void Names_of_a_library_are_found_by_their_beginnings()
    {
        string core = Libtorch.OwnLibrary("torch_cpu")!;

        var found = ElfSymbols.Find(core, "_ZN2at7Context14setSDPUseCuDNN", "aoti_torch_abi_version", "no_such_name");

        Assert.Equal("_ZN2at7Context14setSDPUseCuDNNEb", found[0]!.Name);
        Assert.True(found[0]!.Bytes > 0);
        Assert.Equal("aoti_torch_abi_version", found[1]!.Name);
        Assert.Null(found[2]);
        Assert.True(NativeLibrary.TryGetExport(NativeLibrary.Load(core), found[0]!.Name, out _));
    }

    [Fact]
    public void A_file_that_is_no_library_is_an_error_that_names_it()
    {
        File.WriteAllBytes(_folder, new byte[100]);
        try
        {
            Assert.Contains(_folder, Assert.Throws<KernelException>(() => ElfSymbols.Find(_folder, "a")).Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(_folder);
        }
    }

    [Theory]
    [InlineData("libnvrtc.so.13", true)]
    [InlineData("libnvrtc.so", true)]
    [InlineData("libnvrtc-b51b459d.so.12", true)]
    [InlineData("nvrtc64_130_0.dll", true)]
    [InlineData("libnvrtc-builtins.so.13.0", false)]
    [InlineData("nvrtc-builtins64_130.dll", false)]
    [InlineData("libnvrtc_static.a", false)]
    public void A_library_is_known_by_the_names_it_is_shipped_under(string file, bool known) => Assert.Equal(known, CudaLibraries.Is(file, "nvrtc"));

    [Fact]
    public void Arguments_are_packed_as_the_kernel_reads_them()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (ones([3]), ones([2]));
        ulong[] words = new ulong[LaunchArgument.Words];

        ulong[] Packed(LaunchArgument argument)
        {
            argument.CopyTo(words);
            return [.. words];
        }

        Assert.Equal(unchecked((ulong)-5L), Packed(-5L)[0]);
        Assert.Equal(1.5f, BitConverter.UInt32BitsToSingle((uint)Packed(1.5f)[0]));
        Assert.Equal((ulong)TensorTable.Address(x), Packed(x)[0]);
        Assert.Equal(0ul, Packed((Tensor?)null)[0]);
        Assert.Equal([(ulong)TensorTable.Address(x), 0, (ulong)TensorTable.Address(y)], Packed(LaunchArgument.Addresses(x, null, y))[..3]);
        Assert.Equal([1f, 2, 3], MemoryMarshal.Cast<ulong, float>(Packed(LaunchArgument.Floats(1, 2, 3)))[..3].ToArray());
    }

    [Fact]
    public void A_coded_step_hands_over_twelve_numbers_in_fp32()
    {
        ulong[] words = new ulong[LaunchArgument.Words];

        AdamW8.Rule(new AdamWStep(1e-3, 0.9, 0.95, 1e-8, 0.1, 2, 0.5) { CoupledDecay = 0.25 }, 4).CopyTo(words);

        var numbers = MemoryMarshal.Cast<ulong, float>(words);
        Assert.Equal([1e-3f, 0.9f, 0.95f, (float)(1 - 0.9), (float)(1 - 0.95), 1e-8f, (float)(1 - 1e-4), 0.25f], numbers[..8].ToArray());
        Assert.Equal([1 / (float)(1 - Math.Pow(0.9, 2)), 1 / (float)(1 - Math.Pow(0.95, 2)), 0.5f, 4], numbers[8..12].ToArray());
    }

    [Fact]
    public void The_allocators_class_is_the_one_that_is_called_by_places() => Assert.True(CudaAllocator.KnowsClass(Libtorch.OwnLibrary("c10")!));

    [Fact]
    public void Without_a_card_it_is_said_that_nothing_can_be_recorded_and_memory_is_the_processs_own()
    {
        using var scope = NewDisposeScope();
        DeviceMemory.RestartPeak(CPU);
        long before = DeviceMemory.Use(CPU).Allocated;
        var large = ones([64L << 18]);
        var use = DeviceMemory.Use(CPU);

        Assert.True(use.PeakAllocated >= use.Allocated && use.Allocated - before > 32L << 20, $"{before} to {use}");
        Assert.Null(DeviceMemory.Card(CPU));
        Assert.NotNull(large);
        Assert.Contains("no CUDA part", CudaGraph.Unavailable, StringComparison.Ordinal);
        Assert.Throws<KernelException>(() => new CudaGraph(CPU, () => { }));
    }

    [Fact]
    public unsafe void A_table_of_numbers_arrives_as_it_is()
    {
        using var table = TensorTable.On(CPU, [1, long.MinValue, 3]);

        Assert.Equal([1, long.MinValue, 3], new ReadOnlySpan<long>(Memory.Pointer<long>(table), 3).ToArray());
    }
}
