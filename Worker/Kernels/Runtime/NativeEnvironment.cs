using System.Runtime.InteropServices;

namespace Hearth.Kernels;

/// <summary>The environment that native libraries read; .NET's own setter changes a copy that they never see.</summary>
internal static partial class NativeEnvironment
{
    internal static void Set(string name, string value)
    {
        Environment.SetEnvironmentVariable(name, value);
        if (!OperatingSystem.IsWindows())
        {
            _ = setenv(name, value, 1);
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
