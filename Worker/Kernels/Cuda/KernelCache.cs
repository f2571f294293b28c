using System.Security.Cryptography;
using System.Text;

namespace Hearth.Kernels.Cuda;

/// <summary>
/// Compiled kernels on disk, by what they were made from. A help, never a need: whatever goes wrong with the disk, a kernel is compiled
/// anew. A file is the code behind its own SHA-256, so that a damaged one is seen.
/// </summary>
internal sealed class KernelCache(string folder)
{
    /// <summary>How often code came from the disk, and how often it was made.</summary>
    internal (int Found, int Made) Counts { get; private set; }

    /// <summary>A name for code by all that decides it.</summary>
    /// <param name="text">The whole source.</param>
    /// <param name="options">Of the compiler, the architecture among them.</param>
    /// <param name="versions">Of compiler and driver.</param>
    internal static string Key(string text, IEnumerable<string> options, string versions) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{versions}\n{string.Join('\n', options)}\n\n{text}")));

    /// <summary>The code of a key, from disk where a whole file is there, else made and put there.</summary>
    internal byte[] Get(string key, Func<byte[]> make)
    {
        if (Read(key) is { } found)
        {
            Counts = Counts with { Found = Counts.Found + 1 };
            return found;
        }

        byte[] made = make();
        Counts = Counts with { Made = Counts.Made + 1 };
        Write(key, made);
        return made;
    }

    /// <summary>Drops what is kept of a key.</summary>
    internal void Forget(string key) => Try(() => File.Delete(PathOf(key)));

    internal string PathOf(string key) => Path.Combine(folder, key + ".cubin");

    private byte[]? Read(string key)
    {
        byte[]? whole = null;
        Try(() => whole = File.Exists(PathOf(key)) ? File.ReadAllBytes(PathOf(key)) : null);
        return whole is { Length: > SHA256.HashSizeInBytes } && SHA256.HashData(whole.AsSpan(SHA256.HashSizeInBytes)).AsSpan().SequenceEqual(whole.AsSpan(0, SHA256.HashSizeInBytes))
            ? whole[SHA256.HashSizeInBytes..]
            : null;
    }

    // Renamed into place, so that another worker sees all of it or nothing.
    private void Write(string key, byte[] code) => Try(() =>
    {
        Directory.CreateDirectory(folder);
        string part = $"{PathOf(key)}.{Guid.NewGuid():n}";
        File.WriteAllBytes(part, [.. SHA256.HashData(code), .. code]);
        File.Move(part, PathOf(key), overwrite: true);
    });

    private static void Try(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The disk is full, read-only or somebody else's.
        }
    }
}
