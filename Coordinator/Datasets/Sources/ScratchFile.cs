namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>A file that is gone when it is closed, however that comes about.</summary>
internal static class ScratchFile
{
    private const int BufferBytes = 1 << 16;

    /// <param name="folder">Made where it is not there.</param>
    internal static FileStream Create(string folder)
    {
        Directory.CreateDirectory(folder);
        return new FileStream(
            Path.Combine(folder, $"{Guid.NewGuid():N}.part"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, BufferBytes, FileOptions.DeleteOnClose | FileOptions.Asynchronous);
    }
}
