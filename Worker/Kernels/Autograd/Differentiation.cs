using Hearth.Kernels.Autograd;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>Starts backward passes. Every one of the project goes through here, so that a failure inside a kernel's own pass keeps its words.</summary>
public static class Differentiation
{
    /// <summary>Adds the gradients of a one-element tensor to every leaf it depends on.</summary>
    /// <exception cref="KernelException">A kernel's backward pass failed.</exception>
    public static void Backward(Tensor loss) => Guarded(() => loss.backward());

    /// <summary>Adds to every leaf what it contributes to each tensor, times that tensor's gradient (of the tensor's shape).</summary>
    /// <exception cref="KernelException">A kernel's backward pass failed.</exception>
    public static void Backward(IList<Tensor> tensors, IList<Tensor> grads) => Guarded(() => autograd.backward(tensors, grads));

    private static void Guarded(Action pass)
    {
        try
        {
            pass();
        }
        catch (Exception e) when (BackwardFailure.Take() is { } cause)
        {
            throw new KernelException($"A backward pass failed: {cause.Message}", new AggregateException(cause, e));
        }

        if (BackwardFailure.Take() is { } late)
        {
            throw new KernelException($"A backward pass failed: {late.Message}", late);
        }
    }
}
