namespace Hearth.Kernels;

/// <summary>libtorch, the CUDA driver or a kernel of ours refused a call.</summary>
public sealed class KernelException(string message, Exception? inner = null) : Exception(message, inner);
