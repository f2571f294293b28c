namespace Hearth.Coordinator.Blobs;

/// <summary>What a coordinator knows when it looks whether the store is its pool's.</summary>
/// <param name="Pool">The pool's id, from the database.</param>
/// <param name="Marked">This pool has marked a store before.</param>
/// <param name="Found">The mark that the store bears, or null.</param>
/// <param name="HasBlobs">The store holds blobs.</param>
/// <param name="KnowsBlobs">Blobs of the store are in this database's ledger: a pool from before stores were marked.</param>
/// <param name="NeedsBlobs">Checkpoints or datasets of this database refer to blobs.</param>
/// <param name="Adopt">What the operator allows to be taken over: a pool's id, <see cref="StoreClaim.Unmarked"/>, or null.</param>
public sealed record StoreFacts(Guid Pool, bool Marked, StoreIdentity? Found, bool HasBlobs, bool KnowsBlobs, bool NeedsBlobs, string? Adopt);

/// <summary>Whether a store is this pool's. Pure.</summary>
public abstract record StoreClaim
{
    /// <summary>Value of <c>HEARTH_ADOPT_STORE</c> that takes over a store without a mark.</summary>
    public const string Unmarked = "unmarked";

    /// <summary>It bears this pool's mark.</summary>
    public sealed record Ours : StoreClaim;

    /// <summary>It is to be marked as this pool's.</summary>
    public sealed record Mark : StoreClaim;

    /// <summary>It cannot be what this pool wrote to; that may pass, as when a disk is mounted.</summary>
    public sealed record Away(string Reason) : StoreClaim;

    /// <summary>It is somebody else's.</summary>
    public sealed record Refused(string Reason) : StoreClaim;

    public static StoreClaim Decide(StoreFacts facts, string store)
    {
        bool adopt = facts.Adopt == (facts.Found is { } other ? other.Pool.ToString() : Unmarked);
        return facts switch
        {
            { Found: { } found } when found.Pool == facts.Pool => new Ours(),
            _ when adopt => new Mark(),
            { Found: { } found } => new Refused(
                $"The object store ({store}) belongs to the pool {found.Pool}, and this database to the pool {facts.Pool}. Start with the database of that pool or with the store of this one; HEARTH_ADOPT_STORE={found.Pool} makes the store this pool's."),
            { Marked: true } or { HasBlobs: false, NeedsBlobs: true } => new Away(
                $"The object store ({store}) has no {StoreIdentity.FileName}, which the pool {facts.Pool} keeps there: is its disk mounted? If the store is lost for good, HEARTH_ADOPT_STORE={Unmarked} begins a new one there."),
            { HasBlobs: true, KnowsBlobs: false } => new Refused(
                $"The object store ({store}) holds blobs that the database of the pool {facts.Pool} does not know, and has no {StoreIdentity.FileName} that says whose they are. Start with their database or with an empty store; HEARTH_ADOPT_STORE={Unmarked} makes the store this pool's."),
            _ => new Mark(),
        };
    }
}
