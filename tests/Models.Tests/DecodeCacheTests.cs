using Hearth.Kernels;
using Hearth.Models.Blocks;
using Hearth.Models.Decoding;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>A text's rows come to a module the same, in one pass or in several.</summary>
public sealed class DecodeCacheTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly DecodeCache _cache = new();
    private readonly object _module = new(), _other = new();

    [Fact]
    public void Keys_and_values_are_those_of_all_passes_each_module_with_its_own()
    {
        Extend(_module, 1, 2, 3);
        Extend(_other, 7);

        var (keys, values) = _cache.Extend(_module, Rows(4), Rows(-4));

        Assert.Equal([1, 2, 3, 4], keys.HostArray<double>());
        Assert.Equal([1, 2, 3, -4], values.HostArray<double>());
        Assert.Equal([7, 8], Extend(_other, 8));
        Assert.Equal(4, _cache.Length);
    }

    [Fact]
    public void Of_a_window_the_rows_before_are_the_last()
    {
        Assert.Equal([1], Extend(_module, 2, 1));
        Assert.Equal([1, 2, 3, 4], Extend(_module, 2, 2, 3, 4));
        Assert.Equal([3, 4, 5], Extend(_module, 2, 5));

        double[] Extend(object module, int window, params double[] rows) => _cache.Extend(module, "rows", Rows(rows), window).HostArray<double>();
    }

    [Fact]
    public void Rows_before_are_zeros_where_the_text_has_fewer_and_none_at_its_start()
    {
        Assert.Null(_cache.Before(_module, "rows", Column(1), 2));
        Assert.Equal([0, 1], _cache.Before(_module, "rows", Column(2), 2)!.HostArray<double>());
        Assert.Equal([1, 2], _cache.Before(_module, "rows", Column(3, 4, 5), 2)!.HostArray<double>());
        Assert.Equal([4, 5], _cache.Before(_module, "rows", Column(6), 2)!.HostArray<double>());
        Assert.Null(_cache.Before(_module, "others", Column(6), 2));
    }

    [Fact]
    public void A_shift_goes_on_from_the_last_row()
    {
        Assert.Equal([0, 1], _cache.Shift(_module, Column(1, 2)).HostArray<double>());
        Assert.Equal([2], _cache.Shift(_module, Column(3)).HostArray<double>());
        Assert.Equal([3, 4], _cache.Shift(_module, Column(4, 5)).HostArray<double>());
    }

    [Fact]
    public void A_recurrence_goes_on_from_its_state()
    {
        double Sum(Past past, double x) => past.Scan(_module, zeros([1], float64), state => (state * 10, state + x)).Number();

        Assert.Equal([0, 20, 50], new double[] { 2, 3, 4 }.Select(x => Sum(_cache, x)));
        Assert.Equal([0, 0], new double[] { 2, 3 }.Select(x => Sum(Past.None, x)));
    }

    [Fact]
    public void What_is_cut_is_forgotten_and_a_state_cannot_be_cut()
    {
        Extend(_module, 1, 2, 3);
        _cache.Truncate(1);
        Assert.Equal([1, 9], Extend(_module, 9));

        _cache.Shift(_other, Column(1));

        Assert.Contains("cannot be taken back", Assert.Throws<InvalidOperationException>(() => _cache.Truncate(1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_whole_text_has_no_rows_before()
    {
        var rows = Rows(1, 2);

        Assert.Same(rows, Past.None.Extend(_module, "rows", rows));
        Assert.Null(Past.None.Before(_module, "rows", Column(1), 1));
        Assert.Equal([0, 1], Past.None.Shift(_module, Column(1, 2)).HostArray<double>());
    }

    public void Dispose()
    {
        _cache.Dispose();
        _scope.Dispose();
    }

    private double[] Extend(object module, params double[] rows) => _cache.Extend(module, Rows(rows), Rows(rows)).K_BHSN.HostArray<double>();

    private static Tensor Rows(params double[] rows) => tensor(rows, 1, 1, rows.Length, 1);

    private static Tensor Column(params double[] rows) => tensor(rows, 1, rows.Length, 1);
}
