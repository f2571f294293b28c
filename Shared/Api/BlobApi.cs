namespace Hearth.Api;

/// <summary>GET and POST /api/v1/blobs/sweep: what a sweep of the object store would do, or did.</summary>
public sealed record BlobSweepView
{
    /// <summary>True when nothing was changed.</summary>
    public bool DryRun { get; init; }

    /// <summary>Which store, in words.</summary>
    public required string Store { get; init; }

    /// <summary>Unused for an hour: set aside, and deleted after a day unless something names them again.</summary>
    public BlobCount Quarantined { get; init; }

    /// <summary>Unused for a day in quarantine: gone.</summary>
    public BlobCount Deleted { get; init; }

    /// <summary>In use, or not old enough. Counted in a dry run only, as are the two below.</summary>
    public BlobCount Kept { get; init; }

    /// <summary>Were in the store before this pool wrote there: never deleted.</summary>
    public BlobCount NotOurs { get; init; }

    /// <summary>This database knows nothing of them: never deleted.</summary>
    public BlobCount Unknown { get; init; }
}

/// <param name="Blobs">How many.</param>
/// <param name="Bytes">Their length together; 0 where only rows were looked at.</param>
public readonly record struct BlobCount(long Blobs, long Bytes)
{
    public BlobCount And(long bytes) => new(Blobs + 1, Bytes + bytes);
}
