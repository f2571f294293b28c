using System.Runtime.InteropServices;

namespace Hearth.Data;

/// <summary>Makes a folder's entries durable, which .NET has no call for.</summary>
public static partial class Folders
{
    /// <summary>Forces names created or renamed in the folder to disk; nothing to do on Windows, where NTFS journals them.</summary>
    public static void Sync(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        int handle = Open(path, 0);
        if (handle >= 0)
        {
            _ = Fsync(handle);
            _ = Close(handle);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Fsync(int handle);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int handle);
}
