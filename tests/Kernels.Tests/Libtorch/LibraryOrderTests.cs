using Hearth.Kernels;
using Xunit;

namespace Hearth.Tests;

public sealed class LibraryOrderTests
{
    private static readonly Dictionary<string, string[]> Needs = new(StringComparer.Ordinal)
    {
        ["/torch/libc10.so"] = ["libc.so.6"],
        ["/torch/libtorch_cuda.so"] = ["libcudart.so.13", "libcublas.so.13", "libc10.so"],
        ["/cuda/libcublas.so.13"] = ["libcublasLt.so.13", "libcublas.so.13"],
        ["/cuda/libcublasLt.so.13"] = [],
        ["/cuda/libcudart.so.13"] = [],
    };

    [Fact]
    public void Each_library_comes_after_those_of_the_folders_that_it_needs_and_once()
    {
        var order = LibraryOrder.Of(["/torch/libc10.so", "/torch/libtorch_cuda.so"], ["/torch", "/cuda"], Needs.ContainsKey, p => Needs[p]);

        Assert.Equal(["/torch/libc10.so", "/cuda/libcudart.so.13", "/cuda/libcublasLt.so.13", "/cuda/libcublas.so.13", "/torch/libtorch_cuda.so"], order);
    }
}
