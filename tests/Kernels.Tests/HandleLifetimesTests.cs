using System.Reflection;
using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>What a native call works on is not freed under it.</summary>
public sealed class HandleLifetimesTests
{
    [Fact]
    public void Scalars_stay_what_they_are_while_another_thread_collects()
    {
        using var stop = new CancellationTokenSource();
        var other = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect(0);
                GC.WaitForPendingFinalizers();
            }
        });
        other.Start();
        try
        {
            using var x = ones([64]);
            for (int i = 0; i < 30_000; i++)
            {
                using var scope = NewDisposeScope();
                Assert.Equal(64 * 9.0, (x * 3.0).pow(2).sum().Number());
            }
        }
        finally
        {
            stop.Cancel();
            other.Join();
        }
    }

    [Theory]
    [InlineData(nameof(Tensor.pow))]
    [InlineData(nameof(Tensor.mul))]
    [InlineData(nameof(Tensor.matmul))]
    [InlineData(nameof(Tensor.fill_))]
    public void The_wrappers_of_operators_keep_their_arguments_to_the_end(string name)
    {
        var wrappers = typeof(Tensor).GetMethods().Where(m => m.Name == name && m.GetParameters().All(p => p.ParameterType == typeof(Tensor)
            || p.ParameterType == typeof(TorchSharp.Scalar)));
        Assert.NotEmpty(wrappers);
        Assert.All(wrappers, m => Assert.True(m.MethodImplementationFlags.HasFlag(MethodImplAttributes.NoOptimization), m.ToString()));
    }
}
