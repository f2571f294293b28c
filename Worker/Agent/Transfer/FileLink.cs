using System.Runtime.InteropServices;

namespace Hearth.Agent;

/// <summary>A second name for a file without a second copy, where the file system can; else a copy.</summary>
public static partial class FileLink
{
    public static void LinkOrCopy(string existing, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        File.Delete(target);
        var linked = OperatingSystem.IsWindows() ? CreateHardLink(target, existing, 0) : Link(existing, target) == 0;
        if (!linked)
        {
            File.Copy(existing, target);
        }
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string target);

    [LibraryImport("kernel32", EntryPoint = "CreateHardLinkW", StringMarshalling = StringMarshalling.Utf16)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool CreateHardLink(string target, string existing, nint reserved);
}
