using System.Globalization;
using System.Text.Json;
using Hearth.Data;
using Hearth.Protocol;
using Hearth.Tokenizers;
using Hearth.Training.Data;

namespace Hearth.Training.Checkpoints;

/// <summary>One file of a checkpoint, written when it is its turn.</summary>
public sealed record CheckpointFile(string Name, Action<Stream> Write);

/// <summary>
/// The folder protocol: files go into <c>step-NNNNNNNNN.tmp</c>, each forced to disk and hashed; then <c>manifest.json</c>;
/// then the folder is renamed. A folder without <c>.tmp</c> is therefore complete, and killing the process at any point
/// leaves the earlier checkpoints as they were.
/// </summary>
public static class CheckpointFolder
{
    public const string ManifestName = "manifest.json";
    public const string WeightsName = CheckpointFiles.Weights;
    public const string OptimizerName = CheckpointFiles.Optimizer;

    /// <summary>The weights' moving average; only of runs that keep one.</summary>
    public const string AverageName = CheckpointFiles.Average;
    public const string StateName = CheckpointFiles.State;
    public const string ConfigName = "config.json";
    private const string Temporary = ".tmp";
    private const string Replaced = ".old";

    /// <summary>The folder of a step's checkpoint.</summary>
    public static string PathOf(string root, long step) => Path.Combine(root, "step-" + step.ToString("D9", CultureInfo.InvariantCulture));

    /// <summary>Writes a checkpoint; on any error the half-written folder is removed and the error goes on.</summary>
    /// <param name="root">Folder of all checkpoints of the run.</param>
    /// <param name="step">Finished steps.</param>
    /// <param name="files">Everything but the manifest.</param>
    /// <param name="manifest">Makes the manifest from the files' hashes.</param>
    /// <param name="open">Opens a new file for writing; null = on disk. Tests inject full disks here.</param>
    /// <exception cref="IOException">Disk full, no permission…</exception>
    public static string Write(
        string root,
        long step,
        IReadOnlyList<CheckpointFile> files,
        Func<IReadOnlyList<FileRef>, CheckpointManifest> manifest,
        Func<string, Stream>? open = null) => WriteTo(PathOf(root, step), files, manifest, open);

    /// <summary><see cref="Write"/> into a folder of any name; its parent is there.</summary>
    internal static string WriteTo(string path, IReadOnlyList<CheckpointFile> files, Func<IReadOnlyList<FileRef>, CheckpointManifest> manifest, Func<string, Stream>? open = null)
    {
        string temporary = path + Temporary;
        open ??= static name => new FileStream(name, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 1 << 20);
        try
        {
            RemoveFolder(temporary);
            Directory.CreateDirectory(temporary);
            var refs = files.Select(f => WriteFile(temporary, f, open)).ToList();
            WriteFile(temporary, new CheckpointFile(ManifestName, s => JsonSerializer.Serialize(s, manifest(refs), Json.Pretty)), open);
            Folders.Sync(temporary);
            Commit(temporary, path);
            Folders.Sync(Path.GetDirectoryName(path)!);
            return path;
        }
        catch
        {
            TryRemove(temporary);
            throw;
        }
    }

    /// <summary>Removes what a killed writer left behind. A folder that was being replaced is put back.</summary>
    public static void Clean(string root)
    {
        if (!Directory.Exists(root))
        {
            return;
        }

        foreach (string left in Directory.GetDirectories(root, "step-*" + Temporary))
        {
            TryRemove(left);
        }

        foreach (string old in Directory.GetDirectories(root, "step-*" + Replaced))
        {
            string path = old[..^Replaced.Length];
            if (Directory.Exists(path))
            {
                TryRemove(old);
            }
            else
            {
                Directory.Move(old, path);
            }
        }
    }

    /// <summary>Complete checkpoints, oldest first.</summary>
    public static IReadOnlyList<string> List(string root) => Directory.Exists(root)
        ? [.. Directory.GetDirectories(root, "step-*")
            .Where(d => File.Exists(Path.Combine(d, ManifestName)) && Path.GetExtension(d) is not (Temporary or Replaced))
            .Order(StringComparer.Ordinal)]
        : [];

    /// <summary>Removes all but the newest; a step that training still may roll back to is always the newest.</summary>
    public static void Prune(string root, int keepLast)
    {
        foreach (string path in List(root).SkipLast(keepLast))
        {
            TryRemove(path);
        }
    }

    /// <summary>Reads the manifest and checks every file against it before anything is used.</summary>
    /// <exception cref="CorruptCheckpointException">Names the file.</exception>
    public static CheckpointManifest Verify(string path)
    {
        var manifest = Manifest(path);
        foreach (var file in manifest.Files)
        {
            VerifyFile(path, file);
        }

        return manifest;
    }

    /// <summary>As <see cref="Verify"/>, but only of the files that generating reads; the others need not be there.</summary>
    /// <exception cref="CorruptCheckpointException">Names the file.</exception>
    public static void VerifyForGenerating(string path)
    {
        var manifest = Manifest(path);
        string[] names = [.. manifest.Files.Select(f => f.Name)];
        foreach (var file in manifest.Files.Where(f => CheckpointFiles.IsForGenerating(f.Name, names)))
        {
            VerifyFile(path, file);
        }
    }

    // The manifest, and that it lists what every checkpoint has.
    private static CheckpointManifest Manifest(string path)
    {
        string manifestPath = Path.Combine(path, ManifestName);
        if (!File.Exists(manifestPath))
        {
            throw new CorruptCheckpointException($"{path} has no {ManifestName}: it was never completed.");
        }

        var manifest = ReadJson<CheckpointManifest>(path, ManifestName);
        foreach (string name in (string[])[WeightsName, OptimizerName, StateName, ConfigName])
        {
            if (!manifest.Files.Any(f => f.Name == name))
            {
                throw new CorruptCheckpointException($"{ManifestName} of {path} does not list {name}.");
            }
        }

        if (!manifest.Files.Any(f => TokenizerFile.Names.Contains(f.Name)))
        {
            throw new CorruptCheckpointException($"{ManifestName} of {path} does not list {string.Join(" or ", TokenizerFile.Names)}.");
        }

        return manifest;
    }

    /// <summary>The tokenizer of a verified checkpoint.</summary>
    /// <exception cref="CorruptCheckpointException">It is not the one that the checkpoint was trained with; names both hashes.</exception>
    /// <exception cref="TokenizerException">It cannot be read.</exception>
    public static ITokenizer Tokenizer(string path)
    {
        var tokenizer = TokenizerFile.LoadFrom(path);
        string trained = ReadJson<CheckpointManifest>(path, ManifestName).TokenizerSha256;
        return tokenizer.Sha256 == trained
            ? tokenizer
            : throw new CorruptCheckpointException($"The checkpoint {path} was trained with the tokenizer {trained}; its {tokenizer.FileName} is {tokenizer.Sha256}. Allowed: the same tokenizer.");
    }

    /// <summary>The file with the weights to use: the average where the run kept one, unless the weights themselves are asked for.</summary>
    public static string ExportPath(string path, bool raw = false)
    {
        string average = Path.Combine(path, AverageName);
        return !raw && File.Exists(average) ? average : Path.Combine(path, WeightsName);
    }

    /// <summary>Reads one JSON file of a checkpoint.</summary>
    /// <exception cref="CorruptCheckpointException">It is no JSON of that form.</exception>
    public static T ReadJson<T>(string path, string name)
    {
        try
        {
            using var stream = File.OpenRead(Path.Combine(path, name));
            return JsonSerializer.Deserialize<T>(stream, Json.Wire) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new CorruptCheckpointException($"{name} of {path} cannot be read: {e.Message}");
        }
    }

    private static void VerifyFile(string path, FileRef file)
    {
        if (Path.GetFileName(file.Name) != file.Name)
        {
            throw new CorruptCheckpointException($"{ManifestName} of {path} names {file.Name}, which is no plain file name.");
        }

        string full = Path.Combine(path, file.Name);
        var info = new FileInfo(full);
        if (!info.Exists)
        {
            throw new CorruptCheckpointException($"{full} is missing.");
        }

        if (info.Length != file.Bytes)
        {
            throw new CorruptCheckpointException($"{full} has {info.Length} bytes; its manifest says {file.Bytes}.");
        }

        string hash = FileHash.Sha256(full);
        if (!string.Equals(hash, file.Sha256, StringComparison.OrdinalIgnoreCase))
        {
            throw new CorruptCheckpointException($"{full} has SHA-256 {hash}; its manifest says {file.Sha256}.");
        }
    }

    private static FileRef WriteFile(string folder, CheckpointFile file, Func<string, Stream> open)
    {
        using var stream = open(Path.Combine(folder, file.Name));
        using var hashing = new HashingStream(stream);
        file.Write(hashing);
        hashing.Flush();
        if (stream is FileStream onDisk)
        {
            onDisk.Flush(flushToDisk: true);
        }

        return new FileRef(file.Name, hashing.Finish(), hashing.Length);
    }

    // After a rollback a step can be reached twice. The old folder steps aside first; Clean puts it back if we die between.
    private static void Commit(string temporary, string path)
    {
        string old = path + Replaced;
        if (Directory.Exists(path))
        {
            RemoveFolder(old);
            Directory.Move(path, old);
        }

        Directory.Move(temporary, path);
        TryRemove(old);
    }

    private static void RemoveFolder(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private static void TryRemove(string path)
    {
        try
        {
            RemoveFolder(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A leftover never counts as a checkpoint; the next start tries again.
        }
    }
}
