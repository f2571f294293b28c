namespace Hearth.Kernels.Autograd;

/// <summary>
/// What a backward pass of ours threw. It cannot fly through libtorch's frames, and on CUDA it happens on another thread; the pass that
/// was asked for fails with it instead.
/// </summary>
internal static class BackwardFailure
{
    private static Exception? s_first;

    internal static void Record(Exception e) => Interlocked.CompareExchange(ref s_first, e, null);

    internal static Exception? Take() => Interlocked.Exchange(ref s_first, null);
}
