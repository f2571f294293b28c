using System.Diagnostics;
using System.Text.Json;
using Hearth.Data;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tokenizers;

namespace Hearth.Training.Data;

/// <summary><c>dataset.json</c> of a prepared folder, written last.</summary>
public sealed record DatasetManifest(string Key, string TokenizerSha256, long TrainTokens, long ValidationTokens, long Documents, IReadOnlyList<FileRef> Files)
{
    /// <summary>Conversations that could not be written; null = none.</summary>
    public LeftOut? LeftOut { get; init; }
}

/// <summary>How a dataset is to be prepared; part of its content key.</summary>
public sealed record Preparation(int VocabSize, double ValidationFraction, string Tokenizer = TokenizerKinds.ByteBpe)
{
    /// <summary>A tokenizer that is there already, in place of one that is trained; null = it is trained.</summary>
    public ITokenizer? Given { get; init; }

    /// <summary>How conversations are written; null = the dataset is texts. Asks for <see cref="Given"/>.</summary>
    public SftSpec? Chat { get; init; }

    /// <summary>Letters that a tokenizer learns from, at most about; no part of the key.</summary>
    public long LearntLetters { get; init; } = 1L << 28;

    /// <summary>The content key of a dataset that is so prepared.</summary>
    public string Key(string contentSha256) =>
        DatasetContent.PreparedKey(contentSha256, VocabSize, ValidationFraction, Given is { } given ? DatasetContent.Given(given.Sha256) : Tokenizer, Chat?.Form);
}

/// <summary>A tokenised dataset: tokenizer, packed shards for training and validation, manifest.</summary>
public static class PreparedDataset
{
    public const string TrainName = "train.qpk";
    public const string ValidationName = "validation.qpk";
    public const string ManifestName = "dataset.json";

    /// <summary>What <see cref="Verify"/> is called where it is reported.</summary>
    public const string Verifying = "verifying the dataset";
    internal const string Sealing = "sealing the dataset";

    /// <summary>Prepares a dataset under <paramref name="cache"/>, or finds that it was done before: documents, or tokens that others packed.</summary>
    /// <returns>The folder, named by its content key.</returns>
    /// <exception cref="OperationCanceledException">A stop was asked for; nothing is left behind.</exception>
    public static string Prepare(string source, string cache, Preparation how, Action<string, double>? progress = null, CancellationToken stop = default)
    {
        LongStep Step(string what) => new(share => progress?.Invoke(what, share), stop);
        if (TokenFiles.Are(source))
        {
            var files = TokenFiles.Open(source, how.VocabSize);
            string packed = files.Key(Step("reading the dataset"));
            return Place(cache, packed, folder => Import(files, folder, packed, Step), Step);
        }

        var survey = DatasetSurvey.Of(Documents.Read(source, Step("reading the dataset")), how.ValidationFraction, how.Chat is not null);
        string key = how.Key(survey.ContentSha256);
        return Place(cache, key, folder => new TextPreparation(source, survey, how).Write(folder, key, Step), Step);
    }

    // Written aside and moved when whole.
    private static string Place(string cache, string key, Action<string> write, Func<string, LongStep> step)
    {
        string folder = Path.Combine(cache, "prepared-" + key);
        if (File.Exists(Path.Combine(folder, ManifestName)))
        {
            Verify(folder, step(Verifying));
            return folder;
        }

        RemoveAbandoned(cache);
        string temporary = $"{folder}.{Environment.ProcessId}-{Guid.NewGuid():N}.tmp";
        Directory.CreateDirectory(temporary);
        try
        {
            write(temporary);
            Directory.Move(temporary, folder);
        }
        catch (IOException) when (File.Exists(Path.Combine(folder, ManifestName)))
        {
            // Another process was first; its bytes are the same.
        }
        finally
        {
            if (Directory.Exists(temporary))
            {
                Directory.Delete(temporary, recursive: true);
            }
        }

        return folder;
    }

    // A killed process leaves its half behind; its name says whose it was.
    private static void RemoveAbandoned(string cache)
    {
        if (!Directory.Exists(cache))
        {
            return;
        }

        foreach (string left in Directory.GetDirectories(cache, "prepared-*.tmp"))
        {
            string owner = Path.GetFileName(left).Split('.', '-')[2];
            if (int.TryParse(owner, out int process) && !IsRunning(process))
            {
                Directory.Delete(left, recursive: true);
            }
        }
    }

    private static bool IsRunning(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    /// <summary>Checks every file against the manifest.</summary>
    /// <exception cref="DatasetException">A file is missing or another; names both hashes.</exception>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public static DatasetManifest Verify(string folder, LongStep step = default)
    {
        string path = Path.Combine(folder, ManifestName);
        if (!File.Exists(path))
        {
            throw new DatasetException($"{folder} has no {ManifestName}: it is no prepared dataset.");
        }

        var manifest = Read(path);
        foreach (var (i, file) in manifest.Files.Index())
        {
            string actual = Hash(Path.Combine(folder, file.Name), step.Nth(i, manifest.Files.Count));
            if (actual != file.Sha256)
            {
                throw new DatasetException($"{file.Name} of the prepared dataset has SHA-256 {actual}; its manifest says {file.Sha256}.");
            }
        }

        return manifest;
    }

    /// <summary>The manifest of a prepared folder, taken at its word.</summary>
    internal static DatasetManifest ManifestOf(string folder) => Read(Path.Combine(folder, ManifestName));

    /// <summary>The content key of a prepared folder.</summary>
    public static string KeyOf(string folder) => ManifestOf(folder).Key;

    private static DatasetManifest Read(string path) => JsonSerializer.Deserialize<DatasetManifest>(File.ReadAllBytes(path), Json.Wire)!;

    private static void Import(TokenFiles source, string folder, string key, Func<string, LongStep> step)
    {
        var tokenizer = source.Tokenizer;
        File.WriteAllBytes(Path.Combine(folder, tokenizer.FileName), tokenizer.File);
        (long Tokens, long Documents) Pack(IReadOnlyList<string> part, string name, LongStep reading)
        {
            double whole = Math.Max(1, TokenFiles.Tokens(part));
            using var shard = new ShardWriter(Path.Combine(folder, name), tokenizer.Sha256, tokenizer.VocabSize);
            foreach (int[] ids in source.Documents(part))
            {
                reading.At(shard.Tokens / whole);
                shard.Add(ids);
            }

            shard.Finish();
            return (shard.Tokens, shard.Documents);
        }

        var training = Pack(source.Training, TrainName, step("reading tokens"));
        var validation = Pack(source.Validation, ValidationName, step("reading validation tokens"));
        WriteManifest(folder, tokenizer, new DatasetManifest(key, tokenizer.Sha256, training.Tokens, validation.Tokens, training.Documents + validation.Documents, []), step(Sealing));
    }

    /// <summary>Last, when the files that it lists are complete.</summary>
    internal static void WriteManifest(string folder, ITokenizer tokenizer, DatasetManifest manifest, LongStep step = default)
    {
        string[] names = [tokenizer.FileName, TrainName, ValidationName];
        var files = names.Select((n, i) => new FileRef(n, Hash(Path.Combine(folder, n), step.Nth(i, names.Length)), new FileInfo(Path.Combine(folder, n)).Length));
        File.WriteAllBytes(Path.Combine(folder, ManifestName), JsonSerializer.SerializeToUtf8Bytes(manifest with { Files = [.. files] }, Json.Pretty));
    }

    private static string Hash(string path, LongStep step) => File.Exists(path)
        ? FileHash.Sha256(path, step)
        : throw new DatasetException($"{Path.GetFileName(path)} of the prepared dataset is missing.");
}
