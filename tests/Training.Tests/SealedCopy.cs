using System.Security.Cryptography;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Tokenizers;
using Hearth.Training.Checkpoints;

namespace Hearth.Training.Tests;

/// <summary>Copies of checkpoints that a test changes, with a manifest that agrees, as if they had been written so.</summary>
internal static class SealedCopy
{
    public static string Of(string checkpoint, string copy)
    {
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(checkpoint))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return copy;
    }

    /// <summary>A copy without a number among its weights from byte <paramref name="from"/> to <paramref name="to"/> (null = the end), counted from the end of the header.</summary>
    public static string Poisoned(string checkpoint, string copy, int from = 0, int? to = null)
    {
        string weights = Path.Combine(Of(checkpoint, copy), CheckpointFolder.WeightsName);
        byte[] bytes = File.ReadAllBytes(weights);
        int header = 8 + (int)BitConverter.ToInt64(bytes);
        for (int i = header + from; i + 4 <= (to is { } end ? header + end : bytes.Length); i += 4)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(i), float.NaN);
        }

        File.WriteAllBytes(weights, bytes);
        Seal(copy);
        return copy;
    }

    /// <summary>Where a tensor lies among a checkpoint's weights, counted from the end of the file's header.</summary>
    public static (int From, int To) Extent(string checkpoint, string tensor)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(checkpoint, CheckpointFolder.WeightsName));
        using var header = JsonDocument.Parse(bytes.AsMemory(8, (int)BitConverter.ToInt64(bytes)));
        var offsets = header.RootElement.GetProperty(tensor).GetProperty("data_offsets");
        return (offsets[0].GetInt32(), offsets[1].GetInt32());
    }

    /// <summary>A copy whose JSON file is changed.</summary>
    public static string Changed<T>(string checkpoint, string copy, string file, Func<T, T> change)
    {
        string path = Path.Combine(Of(checkpoint, copy), file);
        File.WriteAllText(path, JsonSerializer.Serialize(change(CheckpointFolder.ReadJson<T>(copy, file)), Json.Pretty));
        Seal(copy);
        return copy;
    }

    public static void Seal(string path)
    {
        var manifest = CheckpointFolder.ReadJson<CheckpointManifest>(path, CheckpointFolder.ManifestName);
        var files = manifest.Files.Select(f => new FileRef(f.Name, Hash(Path.Combine(path, f.Name)), new FileInfo(Path.Combine(path, f.Name)).Length)).ToList();
        var sealedManifest = manifest with { Files = files, TokenizerSha256 = files.Single(f => f.Name == TokenizerFile.JsonName).Sha256 };
        File.WriteAllText(Path.Combine(path, CheckpointFolder.ManifestName), JsonSerializer.Serialize(sealedManifest, Json.Pretty));
    }

    public static string Hash(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
}
