using System.Runtime;

namespace Hearth.Kernels;

/// <summary>
/// Keeps collections away from operators. TorchSharp passes the native side of a <c>Scalar</c> without keeping the object alive: a collection that another
/// thread starts during the call lets the finaliser free what the operator still reads, which throws, or computes with another number. So
/// loops that run operators while other threads allocate (a checkpoint being written, a command being read) collect between operators instead.
/// </summary>
public static class GarbageCollection
{
    // Bytes that may be allocated until the next call. A step of the largest family allots a few MB.
    private const long Budget = 192L << 20;
    private const long Enough = Budget / 2;
    private static readonly Lock s_gate = new();
    private static long s_began;
    private static bool s_held;

    /// <summary>Collects now if half of the budget is used, and holds collections back until the rest is. Call it where no operator is under way, once a step or a token.</summary>
    public static void HoldBack()
    {
        lock (s_gate)
        {
            if (s_held && GC.GetTotalAllocatedBytes() - s_began < Enough)
            {
                return;
            }

            Release();
            s_held = GC.TryStartNoGCRegion(Budget);
            s_began = GC.GetTotalAllocatedBytes();
        }
    }

    /// <summary>Lets collections happen when they like again.</summary>
    public static void Release()
    {
        lock (s_gate)
        {
            // Over the budget the runtime has collected and ended the region by itself.
            if (s_held && GCSettings.LatencyMode == GCLatencyMode.NoGCRegion)
            {
                GC.EndNoGCRegion();
            }

            s_held = false;
        }
    }
}
