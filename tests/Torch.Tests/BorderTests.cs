using System.Diagnostics;
using System.Runtime.InteropServices;
using Hearth.Torch;
using TorchSharp;
using Xunit;

namespace Hearth.Tests;

/// <summary>The C functions themselves, called wrongly on purpose.</summary>
public sealed unsafe class BorderTests
{
    [Fact]
    public void Null_pointers_are_errors_with_a_text()
    {
        long number;
        int small;
        nint handle;

        Fails(Native.ht_op_find(null, "", &handle), "null");
        Fails(Native.ht_op_find("aten::add", "Tensor", null), "null");
        Fails(Native.ht_op_call(0, null, 0, null, 0, &small), "null");
        Fails(Native.ht_free(0), "null");
        Fails(Native.ht_free_list(null), "list");
        Fails(Native.ht_live(null), "null");
        Fails(Native.ht_from_data(null, null, 1, 6, &handle), "null");
        Fails(Native.ht_info(0, &small, &small, &small, null, 0, &number), "null");
        Fails(Native.ht_data(0, null), "null");
        Fails(Native.ht_requires_grad(0, 1, &small), "null");
        Fails(Native.ht_grad(0, 0, 0, &handle), "null");
        Fails(Native.ht_grad_mode(5, &small), "not -1, 0, 1");
        Fails(Native.ht_rng_state(-1, 0, null), "null");
        Fails(Native.ht_threads(-1, &small), "negative");
        Fails(Native.ht_version(null), "null");
    }

    [Fact]
    public void Negative_counts_and_sizes_are_errors()
    {
        nint add, handle;
        int written;
        Assert.Equal(0, Native.ht_op_find("aten::add", "Tensor", &add));

        Fails(Native.ht_op_call(add, null, -1, null, 0, &written), "negative");
        Fails(Native.ht_rng_seed(-7, 1), "below -1");

        long minus = -4;
        int value = 0;
        Fails(Native.ht_from_data(&value, &minus, 1, 6, &handle), "negative size");
        Fails(Native.ht_from_data(&value, &minus, 0, 99, &handle), "scalar type");
    }

    [Fact]
    public void Arguments_of_the_wrong_kind_are_errors_that_name_the_operator()
    {
        var add = new Op("aten::add", "Tensor");

        var few = Assert.Throws<TorchException>(() => add.One());
        var many = Assert.Throws<TorchException>(() => add.One(1, 2, 3, 4, 5));
        var kinds = Assert.Throws<TorchException>(() => add.One("text", true));

        Assert.Contains("aten::add lacks its argument self", few.Message, StringComparison.Ordinal);
        Assert.Contains("aten::add takes at most 3", many.Message, StringComparison.Ordinal);
        Assert.NotEmpty(kinds.Message);
    }

    [Fact]
    public void An_unknown_tag_is_an_error()
    {
        nint add;
        int written;
        Assert.Equal(0, Native.ht_op_find("aten::neg", "", &add));
        var wrong = new Value { Tag = (Tag)42 };

        Fails(Native.ht_op_call(add, &wrong, 1, null, 0, &written), "unknown tag 42");
    }

    [Fact]
    public void An_unknown_operator_is_named()
    {
        var e = Assert.Throws<TorchException>(() => new Op("aten::no_such_thing").One());

        Assert.Contains("libtorch has no operator aten::no_such_thing", e.Message, StringComparison.Ordinal);
        Assert.False(new Op("aten::no_such_thing").Exists);
    }

    [Fact]
    public void A_wrong_shape_arrives_with_the_text_of_libtorch()
    {
        using var scope = torch.NewDisposeScope();

        var e = Assert.Throws<TorchException>(() => torch.ones([2, 3]).mm(torch.ones([2, 3])));

        Assert.Contains("2x3", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Work_is_recorded_on_CUDA_alone_and_never_without_a_place_for_the_graph()
    {
        unsafe
        {
            nint graph = 0;
            Fails(Native.ht_cuda_graph(0, 0, null), "null");
            Fails(Native.ht_cuda_graph(4, 0, &graph), "no action");
            Fails(Native.ht_cuda_graph(2, 0, &graph), "no graph yet");
        }
    }

    [Fact]
    public void At_most_24_functions_are_exported()
    {
        Assert.Equal(0, Native.ht_noop());
        string library = Process.GetCurrentProcess().Modules.Cast<ProcessModule>().First(m => m.ModuleName.StartsWith("libhearth_torch", StringComparison.Ordinal)).FileName;
        using var nm = Process.Start(new ProcessStartInfo("nm", ["-D", "--defined-only", library]) { RedirectStandardOutput = true })!;
        string[] exports = nm.StandardOutput.ReadToEnd().Split('\n').Where(l => l.Contains(" T ht_", StringComparison.Ordinal)).ToArray();

        Assert.InRange(exports.Length, 15, 24);
    }

    private static void Fails(int code, string words)
    {
        Assert.Equal(1, code);
        Assert.Contains(words, Marshal.PtrToStringUTF8((nint)Native.ht_last_error()), StringComparison.Ordinal);
    }
}
