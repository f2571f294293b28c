namespace Hearth.Protocol;

/// <summary>A file in the object store with a signed address to read it; it answers ranges.</summary>
public sealed record BlobRef(string Name, string Sha256, long Bytes, string Url);

/// <summary>POST /api/worker/uploads: asks where to put blobs; those already stored come back without parts.</summary>
public sealed record UploadsRequest(Lease Lease, IReadOnlyList<FileRef> Files);

public sealed record UploadsResponse(IReadOnlyList<UploadTicket> Tickets);

/// <summary>How one blob is sent to the store.</summary>
/// <param name="Sha256">Which blob.</param>
/// <param name="Parts">In order and without a gap; none = the store has the blob.</param>
/// <param name="UploadId">
/// Null when the one part is the whole and nothing need be finished. Else the parts belong to this upload until <see cref="UploadFinish"/>; a ticket that is
/// asked for again names the same one, and parts that have arrived need not be sent again.
/// </param>
public sealed record UploadTicket(string Sha256, IReadOnlyList<UploadPart> Parts, string? UploadId = null);

/// <summary>A PUT of some of a blob's bytes.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Offset">Of the first byte in the blob.</param>
/// <param name="Bytes">How many.</param>
/// <param name="Url">Signed; relative ones are the coordinator's own.</param>
/// <param name="Headers">To be sent as they are.</param>
public sealed record UploadPart(int Number, long Offset, long Bytes, string Url, IReadOnlyDictionary<string, string> Headers);

/// <summary>POST /api/worker/uploads/finish: makes a blob of the parts that have arrived. 404: the upload is over, ask for a new ticket.</summary>
/// <param name="Parts">All of them, in order.</param>
public sealed record UploadFinish(Lease Lease, string Sha256, string UploadId, IReadOnlyList<PartReceipt> Parts);

/// <param name="Number">Which part.</param>
/// <param name="ETag">As the store answered it; null where it answers none.</param>
public sealed record PartReceipt(int Number, string? ETag);
