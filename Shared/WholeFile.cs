namespace Hearth;

/// <summary>Files that a reader sees with their old or their new content, never a part: written aside, then renamed. One writer a path at a time.</summary>
public static class WholeFile
{
    /// <param name="path">Of the file; its folder is there.</param>
    /// <param name="content">All of it.</param>
    /// <param name="secret">Its owner alone may read it.</param>
    /// <param name="durable">It is on the disk before it gets its name.</param>
    /// <exception cref="IOException">The disk does not take it; the old content stays, and nothing beside it.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder does not.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, bool secret = false, bool durable = false)
    {
        string aside = path + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (secret && !OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        // What an earlier writer left has the rights that it was made with.
        File.Delete(aside);
        try
        {
            using (var file = new FileStream(aside, options))
            {
                file.Write(content);
                file.Flush(flushToDisk: durable);
            }

            File.Move(aside, path, overwrite: true);
        }
        catch (IOException)
        {
            File.Delete(aside);
            throw;
        }
    }
}
