using System.Runtime.InteropServices;

namespace Hearth.Kernels;

/// <summary>Says in one sentence why libtorch cannot run on a machine.</summary>
internal static class Machine
{
    /// <exception cref="LibtorchException">There is no libtorch for such a machine.</exception>
    public static void Check(bool linux, bool windows, Architecture architecture, string runtime)
    {
        if (!linux && !windows)
        {
            throw new LibtorchException($"Training runs on Linux and Windows; this is {runtime}.");
        }

        if (architecture != Architecture.X64)
        {
            throw new LibtorchException($"Training needs an x64 processor, since TorchSharp {LibtorchSearch.TorchSharpVersion} has no library for this one ({runtime}).");
        }

        if (runtime.Contains("musl", StringComparison.Ordinal))
        {
            throw new LibtorchException($"libtorch needs glibc, but this system's C library is musl ({runtime}). Use a Debian, Ubuntu or Fedora, or a container of one.");
        }
    }

    /// <param name="path">The library that was refused.</param>
    /// <param name="words">What the runtime said; the loader's own words stand in its last line.</param>
    public static string WhyNotLoaded(string path, string words)
    {
        string reason = words.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).LastOrDefault() ?? words;
        string help = reason.Contains("GLIBC_", StringComparison.Ordinal) ? " This system's C library is too old: glibc 2.28 or newer is needed."
            : reason.Contains("GLIBCXX_", StringComparison.Ordinal) || reason.Contains("CXXABI_", StringComparison.Ordinal) ? " This system's libstdc++ is too old."
            : reason.Contains("No such file", StringComparison.Ordinal) ? " Install what is missing, or let HEARTH_LIBTORCH name a complete libtorch."
            : "";
        return $"{Path.GetFileName(path)} cannot be loaded: {reason}.{help}";
    }
}
