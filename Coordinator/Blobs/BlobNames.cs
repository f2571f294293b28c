using System.Security.Cryptography;

namespace Hearth.Coordinator.Blobs;

/// <summary>Names of blobs, which are the hashes of their content.</summary>
public static class BlobNames
{
    public const string Prefix = "blobs/";

    /// <summary><c>blobs/ab/abcdef…</c>; two levels, since folders of a million entries are slow to list.</summary>
    public static string Of(string sha256) => IsSha256(sha256)
        ? $"{Prefix}{sha256[..2]}/{sha256}"
        : throw new ArgumentException($"{sha256} is no SHA-256. Allowed: 64 lower-case hex digits.", nameof(sha256));

    public static bool IsSha256(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigitLower);

    /// <summary>The blob whose name a store's key ends in; null = the key is of something else.</summary>
    public static string? At(string key) => key[(key.LastIndexOf('/') + 1)..] is var name && IsSha256(name) ? name : null;

    /// <summary>The header that makes a browser save what it reads under this name.</summary>
    public static string Disposition(string fileName) => $"attachment; filename*=UTF-8''{Uri.EscapeDataString(fileName)}";

    /// <summary>Reads the content to its end and takes it back to its start.</summary>
    /// <exception cref="WrongContentException">It has another hash than its name.</exception>
    public static async Task RequireAsync(string sha256, Stream content, CancellationToken stop)
    {
        Require(sha256, Convert.ToHexStringLower(await SHA256.HashDataAsync(content, stop)));
        content.Position = 0;
    }

    /// <exception cref="WrongContentException">The content's hash is not its name.</exception>
    public static void Require(string sha256, string actual)
    {
        if (actual != sha256)
        {
            throw new WrongContentException($"The content has SHA-256 {actual}. Allowed: {sha256}.");
        }
    }
}
