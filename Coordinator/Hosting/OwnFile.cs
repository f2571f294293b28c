namespace Hearth.Coordinator.Hosting;

/// <summary>Files that their owner alone can read: keys and tokens.</summary>
internal static class OwnFile
{
    /// <summary>Makes a new one, whole or not at all: a full disk leaves no half of a secret behind, which the next start would take for one.</summary>
    /// <exception cref="IOException">There is one already, or it cannot be written (<see cref="DiskSpace.RanOut"/>).</exception>
    internal static void Create(string path, ReadOnlySpan<byte> content)
    {
        string fresh = $"{path}.{Guid.NewGuid():N}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            using (var file = new FileStream(fresh, options))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(fresh, path);
        }
        catch (IOException)
        {
            File.Delete(fresh);
            throw;
        }
    }
}
