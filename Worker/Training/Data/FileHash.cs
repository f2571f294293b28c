using System.Security.Cryptography;
using Hearth.Tokenizers;

namespace Hearth.Training.Data;

/// <summary>SHA-256 of a file that may be long.</summary>
internal static class FileHash
{
    private const int Piece = 1 << 22;

    /// <returns>64 hex digits.</returns>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    internal static string Sha256(string path, LongStep step = default)
    {
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        byte[] piece = new byte[(int)Math.Clamp(file.Length, 1, Piece)];
        for (int read = file.Read(piece); read > 0; read = file.Read(piece))
        {
            all.AppendData(piece, 0, read);
            step.At(file.Position / (double)Math.Max(file.Position, file.Length));
        }

        return Convert.ToHexStringLower(all.GetHashAndReset());
    }
}
