using System.Security.Cryptography;
using System.Text.Json;
using Hearth.Protocol;

namespace Hearth.Training;

/// <summary>
/// A file that is there while a step is recorded. libtorch ends the whole process where some recordings fail, so the next start of the run
/// on this machine, as another attempt too, finds the file, launches its kernels one by one, and can say why.
/// </summary>
public sealed class RecordingMark(string path)
{
    /// <summary>Of a run, told by its spec, beside the data that it shares with its other attempts.</summary>
    public static RecordingMark Of(TrainerJob job) =>
        new(Path.Combine(job.CachePath, $"recording-{Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(job.Spec, Json.Wire)))[..16]}"));

    /// <summary>Why nothing should be recorded; null where no start ended in a recording.</summary>
    public string? Reason => File.Exists(path)
        ? $"an earlier start of this run ended on this machine while its step was recorded ({path} notes it; without that file it is tried again)"
        : null;

    /// <exception cref="IOException">It cannot be written.</exception>
    public void Set()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "A training step is being recorded.\n");
    }

    public void Clear() => File.Delete(path);
}
