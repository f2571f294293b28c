using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class GarbageCollectionTests
{
    [Fact]
    public void While_it_is_held_back_another_threads_garbage_starts_no_collection()
    {
        GarbageCollection.HoldBack();
        try
        {
            int before = GC.CollectionCount(0);
            var other = new Thread(() =>
            {
                for (int i = 0; i < 60_000; i++)
                {
                    GC.KeepAlive(new byte[1_000]);
                }
            });
            other.Start();
            other.Join();

            Assert.Equal(before, GC.CollectionCount(0));
        }
        finally
        {
            GarbageCollection.Release();
        }
    }

    [Fact]
    public void Scalars_stay_what_they_are_while_another_thread_allocates()
    {
        using var stop = new CancellationTokenSource();
        var other = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.KeepAlive(new byte[10_000]);
            }
        });
        other.Start();
        try
        {
            using var x = ones([64]);
            for (int i = 0; i < 3_000; i++)
            {
                GarbageCollection.HoldBack();
                using var scope = NewDisposeScope();
                Assert.Equal(64 * 9.0, (x * 3.0).pow(2).sum().Number());
            }
        }
        finally
        {
            stop.Cancel();
            other.Join();
            GarbageCollection.Release();
        }
    }

    [Fact]
    public void After_more_than_the_budget_it_is_held_back_again()
    {
        GarbageCollection.HoldBack();
        for (int i = 0; i < 300; i++)
        {
            GC.KeepAlive(new byte[1 << 20]);
        }

        GarbageCollection.HoldBack();
        try
        {
            Assert.Equal(System.Runtime.GCLatencyMode.NoGCRegion, System.Runtime.GCSettings.LatencyMode);
        }
        finally
        {
            GarbageCollection.Release();
        }
    }
}
