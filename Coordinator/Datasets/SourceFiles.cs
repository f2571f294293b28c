using Hearth.Api;
using Hearth.Coordinator.Datasets.Sources;

namespace Hearth.Coordinator.Datasets;

/// <summary>
/// Finds the files of an import. Only what lies under an allowed folder is read, after links are resolved; links inside a folder are
/// not followed.
/// </summary>
public sealed class SourceFiles(IReadOnlyList<string> roots)
{
    private static readonly EnumerationOptions Walk = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false };
    private readonly IReadOnlyList<string> _roots = [.. roots.Select(Resolve)];

    /// <param name="settings">Where <c>HEARTH_IMPORT_ROOTS</c> (folders, separated as in PATH) may be; without it any path may be read.</param>
    public static SourceFiles Read(IConfiguration settings) =>
        new((settings["HEARTH_IMPORT_ROOTS"] ?? "").Split(Path.PathSeparator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));

    /// <summary>All files, in ordinal order of their names. Of several paths, each folder's name begins the names of its files.</summary>
    /// <exception cref="DatasetRefusedException">A path is not there, not allowed, or has no text file.</exception>
    public IReadOnlyList<SourceFile> Find(ImportDataset import)
    {
        var files = new SortedDictionary<string, SourceFile>(StringComparer.Ordinal);
        for (int i = 0; i < import.Paths.Count; i++)
        {
            foreach (var file in Under($"paths[{i}]", import.Paths[i], import.Paths.Count > 1))
            {
                if (!files.TryAdd(file.Name, file))
                {
                    throw new DatasetRefusedException($"paths[{i}]", import.Paths[i], "paths whose files have different names", $"Two files are called {file.Name}. Import them as two datasets, or one folder above both.");
                }
            }
        }

        return [.. files.Values];
    }

    private IEnumerable<SourceFile> Under(string field, string path, bool several)
    {
        string full = Allowed(field, path);
        if (File.Exists(full))
        {
            return [Source(full, Path.GetFileName(full))];
        }

        if (!Directory.Exists(full))
        {
            throw new DatasetRefusedException(field, path, "a file or folder on the coordinator's machine", $"There is no file or folder {path} on the coordinator's machine.");
        }

        string prefix = several ? Path.GetFileName(Path.TrimEndingDirectorySeparator(full)) + "/" : "";
        var found = Directory.EnumerateFiles(full, "*", Walk).Where(f => Unpacker.IsKnown(f))
            .Select(f => Source(f, prefix + Path.GetRelativePath(full, f).Replace('\\', '/'))).ToList();
        return found.Count > 0
            ? found
            : throw new DatasetRefusedException(field, path, $"a folder with files that end in {Unpacker.KnownEndings}", $"The folder {path} has no text file. Allowed: files that end in {Unpacker.KnownEndings}.");
    }

    private string Allowed(string field, string path)
    {
        if (!Path.IsPathFullyQualified(path))
        {
            throw new DatasetRefusedException(field, path, "an absolute path on the coordinator's machine", $"{path} is no absolute path. Allowed: an absolute path on the coordinator's machine.");
        }

        string full = Resolve(path);
        return _roots.Count == 0 || _roots.Any(root => full == root || full.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            ? full
            : throw new DatasetRefusedException(field, path, $"paths under {string.Join(" or ", _roots)}", $"{path} may not be imported. Allowed: paths under {string.Join(" or ", _roots)} (HEARTH_IMPORT_ROOTS).");
    }

    /// <summary>The path without links, dots and a separator at its end, as far as it exists.</summary>
    private static string Resolve(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), resolved = Path.GetPathRoot(full)!;
        foreach (string part in full[resolved.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            string next = Path.Combine(resolved, part);
            FileSystemInfo info = Directory.Exists(next) ? new DirectoryInfo(next) : new FileInfo(next);
            resolved = info.LinkTarget is null ? next : Resolve(Path.Combine(resolved, info.LinkTarget));
        }

        return resolved;
    }

    private static SourceFile Source(string path, string name)
    {
        // A pipe or a device has no length; opening one could wait for ever, and reading one never end.
        long bytes = new FileInfo(path).Length;
        return new SourceFile(name, () => bytes == 0 ? Stream.Null : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.Asynchronous | FileOptions.SequentialScan)) { Bytes = bytes };
    }
}
