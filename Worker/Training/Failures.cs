using Hearth.Kernels;
using Hearth.Models.Hybrid.Artifact;
using Hearth.Protocol;
using Hearth.Tokenizers;
using Hearth.Training.Chat;

namespace Hearth.Training;

/// <summary>Exit codes of <c>hearth-trainer</c>.</summary>
public static class ExitCodes
{
    public const int Done = 0;
    public const int Crashed = 1;
    public const int BadInput = 2;
    public const int Stopped = 10;
    public const int OutOfMemory = 20;
}

/// <summary>Something given from outside is wrong; the message names field, value and what is allowed.</summary>
public sealed class BadInputException(string message) : Exception(message);

/// <summary>A checkpoint's file is missing or is not what its manifest says; the message names the file.</summary>
public sealed class CorruptCheckpointException(string message) : Exception(message);

/// <summary>Loss or gradient was not finite in more steps in a row than are skipped.</summary>
public sealed class NotFiniteException(string message) : Exception(message);

/// <summary>Turns an exception into what the protocol calls it.</summary>
public static class Failures
{
    // Texts of libtorch's CPU allocator, its CUDA allocator, cuBLAS and the C++ runtime.
    private static readonly string[] MemoryTexts =
        ["out of memory", "can't allocate memory", "not enough memory", "bad_alloc", "CUBLAS_STATUS_ALLOC_FAILED", "Cannot allocate memory"];

    public static (string Code, int Exit) Classify(Exception e) => e switch
    {
        _ when IsOutOfMemory(e) => (FailureCodes.OutOfMemory, ExitCodes.OutOfMemory),
        CorruptCheckpointException => (FailureCodes.CorruptCheckpoint, ExitCodes.BadInput),
        _ when DiskSpace.RanOut(e) => (FailureCodes.DiskFull, ExitCodes.Crashed),
        NotFiniteException => (FailureCodes.NotFinite, ExitCodes.Crashed),
        BadInputException or TokenizerException or ChatException or ArtifactException or SafetensorsException or FileNotFoundException or DirectoryNotFoundException => (FailureCodes.BadInput, ExitCodes.BadInput),
        _ => (FailureCodes.Crashed, ExitCodes.Crashed),
    };

    /// <summary>Whether memory of the host or of a device ran out.</summary>
    public static bool IsOutOfMemory(Exception e)
    {
        for (Exception? at = e; at is not null; at = at.InnerException)
        {
            if (at is OutOfMemoryException || MemoryTexts.Any(t => at.Message.Contains(t, StringComparison.OrdinalIgnoreCase)))
            {
                return true;
            }
        }

        return false;
    }
}
