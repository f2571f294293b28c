using System.Collections.Immutable;
using Hearth.Protocol;

namespace Hearth.Coordinator.Blobs;

/// <summary>An upload in parts that is under way.</summary>
/// <param name="Sha256">What it is to become.</param>
/// <param name="Id">The store's name for it.</param>
public sealed record PartsUpload(string Sha256, string Id);

/// <summary>Some of a blob's bytes.</summary>
/// <param name="Number">From 1.</param>
public readonly record struct PartRange(int Number, long Offset, long Bytes);

/// <summary>The upload is not known to the store: it was finished, given up or forgotten.</summary>
public sealed class UnknownUploadException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>How a blob is cut into parts. Pure.</summary>
public static class PartLayout
{
    /// <summary>S3 takes no more parts of one blob.</summary>
    public const int MostParts = 10_000;

    /// <summary>No headers beside those of any PUT.</summary>
    public static readonly IReadOnlyDictionary<string, string> NoHeaders = ImmutableDictionary<string, string>.Empty;

    /// <summary>One part, the whole, up to <paramref name="partBytes"/>; more of that length beyond, and longer ones where there would be too many.</summary>
    public static IReadOnlyList<PartRange> Of(long bytes, long partBytes)
    {
        long each = Math.Max(partBytes, (bytes + MostParts - 1) / MostParts);
        int parts = (int)Math.Max(1, (bytes + each - 1) / each);
        return [.. Enumerable.Range(0, parts).Select(i => new PartRange(i + 1, i * each, Math.Min(each, bytes - (i * each))))];
    }

    /// <summary>The ticket of a blob that is one part.</summary>
    public static UploadTicket Single(string sha256, long bytes, string url, IReadOnlyDictionary<string, string>? headers = null) =>
        new(sha256, [new UploadPart(1, 0, bytes, url, headers ?? NoHeaders)]);
}
