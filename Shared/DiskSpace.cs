namespace Hearth;

/// <summary>Whether a write failed because there was no room for it.</summary>
public static class DiskSpace
{
    // As .NET passes them on: ENOSPC and EDQUOT of Linux, ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL of Windows.
    private static readonly int[] Codes = [28, 122, unchecked((int)0x80070027), unchecked((int)0x80070070)];

    /// <summary>Whether a disk or a quota is full, by the system's code, or by its words where a stream has no code.</summary>
    public static bool RanOut(Exception e) =>
        e is IOException && (Codes.Contains(e.HResult) || e.Message.Contains("No space left on device", StringComparison.OrdinalIgnoreCase));
}
