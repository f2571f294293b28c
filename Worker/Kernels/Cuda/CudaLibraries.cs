using System.Runtime.InteropServices;

namespace Hearth.Kernels.Cuda;

/// <summary>CUDA's libraries that are called from here: those that came with this libtorch, then the toolkit's, then what the system's loader knows.</summary>
internal static class CudaLibraries
{
    /// <summary>Loads the first that can be.</summary>
    /// <param name="name">Without prefix, version and extension: <c>nvrtc</c>.</param>
    /// <param name="systemNames">Files to ask the system's loader for at last.</param>
    /// <exception cref="KernelException">None can be loaded.</exception>
    internal static (nint Library, string Path) Load(string name, params ReadOnlySpan<string> systemNames)
    {
        foreach (string path in (IEnumerable<string>)[.. Candidates(name), .. systemNames])
        {
            if (NativeLibrary.TryLoad(path, out nint library))
            {
                return (library, path);
            }
        }

        throw new KernelException($"no library {name} was found beside libtorch, in the nvidia packages beside it, or in the CUDA toolkit's folder");
    }

    /// <summary>Whether a file is that library under any of the names it is shipped with: lib{name}.so.13, lib{name}-b51b459d.so.12, {name}64_130_0.dll.</summary>
    internal static bool Is(string file, string name)
    {
        bool windows = file.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);
        string start = windows ? name : "lib" + name;
        if (!file.StartsWith(start, StringComparison.Ordinal))
        {
            return false;
        }

        string rest = file[start.Length..];
        return windows
            ? rest.Equals(".dll", StringComparison.OrdinalIgnoreCase) || (rest.StartsWith("64_", StringComparison.Ordinal) && char.IsAsciiDigit(rest[3]))
            : rest.StartsWith(".so", StringComparison.Ordinal) || (rest.StartsWith('-') && rest.IndexOf(".so", StringComparison.Ordinal) is > 1 and var end && rest[1..end].All(char.IsAsciiHexDigit));
    }

    private static IEnumerable<string> Candidates(string name)
    {
        string toolkit = Environment.GetEnvironmentVariable("CUDA_PATH") is { Length: > 0 } given ? Path.Combine(given, "bin") : "/usr/local/cuda/lib64";
        return Libtorch.Folders().Append(toolkit).Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder).Where(f => Is(Path.GetFileName(f), name)).Order(StringComparer.Ordinal));
    }
}
