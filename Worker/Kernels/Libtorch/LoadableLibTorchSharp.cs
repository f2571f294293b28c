using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Hearth.Kernels;

/// <summary>
/// TorchSharp's library asks for GLIBCXX_3.4.32 (GCC 13) by one symbol that nothing in it uses; Debian 12's libstdc++ ends two versions
/// earlier and the loader refuses. A copy whose need of that version is marked weak loads there and behaves the same.
/// </summary>
internal static class LoadableLibTorchSharp
{
    /// <summary>Of <c>runtimes/linux-x64/native/libLibTorchSharp.so</c> in TorchSharp 0.107.0: the only file whose needs were read and tried.</summary>
    public const string KnownSha256 = "cf33b1b0bb6bbb9754a768fb5c5d04d9f498603be50e73f55621a0b40ee608b8";

    public const string NewestNeed = "GLIBCXX_3.4.32";

    // What GCC 13's headers make every file that includes <iostream> ask for; in the library exactly from that version on.
    private const string NewestSymbol = "_ZSt21ios_base_library_initv";
    private const ushort Weak = 2;

    /// <summary>Whether this machine's libstdc++ has what the shipped file asks for.</summary>
    public static bool MachineHasNewestNeed() =>
        !OperatingSystem.IsLinux() || (NativeLibrary.TryLoad("libstdc++.so.6", out nint library) && NativeLibrary.TryGetExport(library, NewestSymbol, out _));

    /// <summary>The weak copy of a shipped file, made now or taken from an earlier start.</summary>
    /// <param name="shipped">Full path of the package's file.</param>
    /// <param name="cache">Folder for the copy; made if it is missing.</param>
    /// <returns>Full path of the copy.</returns>
    /// <exception cref="LibtorchException">The file is not the known one, or the folder cannot be written.</exception>
    public static string WeakCopy(string shipped, string cache)
    {
        byte[] bytes = File.ReadAllBytes(shipped);
        string hash = Convert.ToHexStringLower(SHA256.HashData(bytes));
        if (hash != KnownSha256)
        {
            throw new LibtorchException(
                $"This machine's libstdc++ lacks {NewestNeed}, which {shipped} asks for, and the file is not the one of TorchSharp {LibtorchSearch.TorchSharpVersion} that can be made to do without " +
                $"(SHA-256 {hash}). Use a system with GCC 13's libstdc++ or newer (Debian 13, Ubuntu 24.04), or restore the package again.");
        }

        string copy = Path.Combine(cache, $"libLibTorchSharp-{hash}.so");
        if (new FileInfo(copy) is { Exists: true } before && before.Length == bytes.Length)
        {
            return copy;
        }

        MarkWeak(bytes);
        try
        {
            Directory.CreateDirectory(cache);
            string unfinished = $"{copy}.{Environment.ProcessId}";
            File.WriteAllBytes(unfinished, bytes);
            File.Move(unfinished, copy, overwrite: true);
            return copy;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LibtorchException($"A copy of {Path.GetFileName(shipped)} that loads on this machine cannot be written to {cache}: {e.Message} Let XDG_CACHE_HOME name a folder that can be written.", e);
        }
    }

    /// <summary>Marks the need of <see cref="NewestNeed"/> weak; changes one byte.</summary>
    /// <exception cref="InvalidDataException">The library does not ask for that version exactly once.</exception>
    public static void MarkWeak(byte[] library)
    {
        var needs = new ElfFile(new MemoryStream(library, writable: false)).VersionNeedsOfAll().Where(n => n.Version == NewestNeed).ToArray();
        if (needs is not [var need])
        {
            throw new InvalidDataException($"The library asks {needs.Length} times for {NewestNeed}; exactly one need was expected.");
        }

        BitConverter.TryWriteBytes(library.AsSpan(checked((int)need.FlagsOffset)), (ushort)(need.Flags | Weak));
    }
}
