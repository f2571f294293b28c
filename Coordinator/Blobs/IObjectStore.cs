using Hearth.Coordinator.Hosting;
using Hearth.Protocol;

namespace Hearth.Coordinator.Blobs;

/// <summary>
/// Where bytes lie that are too many for the database, each blob under the SHA-256 of its content (64 lower-case hex digits).
/// Agents reach blobs through signed addresses alone, so they hold no credential of the store. Every member throws
/// <see cref="StoreAwayException"/> when the store itself cannot be reached: that is never told as a blob that is not there.
/// </summary>
public interface IObjectStore
{
    /// <summary>For sentences: <c>the folder /srv/hearth/store</c>, <c>the bucket hearth at http://minio:9000</c>.</summary>
    string Name { get; }

    /// <summary>Whose store it is, or null when it bears no mark.</summary>
    Task<StoreIdentity?> IdentityAsync(CancellationToken stop);

    /// <summary>Marks the store as a pool's, in place of any mark before.</summary>
    Task MarkAsync(StoreIdentity identity, CancellationToken stop);

    /// <summary>Stores a blob, or replaces a damaged one. It appears whole or not at all.</summary>
    /// <exception cref="WrongContentException">The content has another hash than its name.</exception>
    /// <exception cref="StoreFullException">There is no room.</exception>
    Task PutAsync(string sha256, Stream content, CancellationToken stop);

    /// <summary>The blob's bytes, or null when there is none.</summary>
    Task<Stream?> GetAsync(string sha256, CancellationToken stop);

    /// <summary>What is known about a blob without reading it, or null when there is none.</summary>
    Task<StoredBlob?> StatAsync(string sha256, CancellationToken stop);

    /// <summary>All blobs, in no order.</summary>
    IAsyncEnumerable<StoredBlob> ListAsync(CancellationToken stop);

    /// <summary>Removes a blob; nothing happens when there is none.</summary>
    Task DeleteAsync(string sha256, CancellationToken stop);

    /// <summary>An address from which whoever holds it may read the blob for a while.</summary>
    /// <param name="sha256">Which blob.</param>
    /// <param name="life">How long.</param>
    /// <param name="fileName">Name under which a browser saves it; null = it is not for browsers.</param>
    Task<string> SignGetAsync(string sha256, TimeSpan life, string? fileName = null);

    /// <summary>Where and how whoever holds the ticket may write exactly this blob for a while, in one part.</summary>
    Task<UploadTicket> SignPutAsync(string sha256, long bytes, TimeSpan life);

    /// <summary>Begins an upload in parts. Nothing of it is seen under the blob's name until it is finished.</summary>
    Task<PartsUpload> BeginAsync(string sha256, CancellationToken stop);

    /// <summary>Where and how to write these parts for a while.</summary>
    Task<UploadTicket> SignPartsAsync(PartsUpload upload, IReadOnlyList<PartRange> parts, TimeSpan life);

    /// <summary>Makes the blob of its parts.</summary>
    /// <exception cref="WrongContentException">They are not the blob that was announced; the upload is over. Not every store looks: then whoever reads it does.</exception>
    /// <exception cref="UnknownUploadException">The store has no such upload, or not all of its parts.</exception>
    Task FinishAsync(PartsUpload upload, IReadOnlyList<PartReceipt> parts, CancellationToken stop);

    /// <summary>Gives an upload up; nothing happens when there is none.</summary>
    Task AbandonAsync(PartsUpload upload, CancellationToken stop);
}

/// <param name="Sha256">Name and, if nothing damaged it, hash of the content.</param>
/// <param name="Bytes">Length.</param>
public sealed record StoredBlob(string Sha256, long Bytes);

/// <summary>Bytes that do not have the hash or length under which they were to be stored.</summary>
public sealed class WrongContentException(string message) : Exception(message);

/// <summary>The store has no room left; nothing of the blob was kept.</summary>
public sealed class StoreFullException(string message, Exception inner) : ProblemException(StatusCodes.Status507InsufficientStorage, message, inner);

/// <summary>
/// The store itself is not there: not mounted, not reachable, not this pool's. Nothing is known of its blobs, so nothing may be
/// concluded; whoever gets this waits.
/// </summary>
public sealed class StoreAwayException(string message, Exception? inner = null) : ProblemException(StatusCodes.Status503ServiceUnavailable, message, inner);
