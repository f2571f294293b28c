namespace Hearth.Kernels;

/// <summary>No libtorch can be used on this machine. The message is one sentence or two: what was looked for, what is missing, what helps.</summary>
public sealed class LibtorchException(string message, Exception? inner = null) : Exception(message, inner);
