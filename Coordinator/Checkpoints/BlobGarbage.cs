using Hearth.Coordinator.Storage;

namespace Hearth.Coordinator.Checkpoints;

/// <param name="Sha256">The blob.</param>
/// <param name="WantedAt">When somebody last announced it.</param>
/// <param name="InUse">True while something refers to it, or the attempt that announced it lives.</param>
public sealed record KnownBlob(string Sha256, DateTimeOffset WantedAt, bool InUse);

/// <summary>Which blobs may go. Pure; the deletion itself checks each once more.</summary>
public static class BlobGarbage
{
    /// <summary>An upload that was announced has this long to be referred to.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromHours(1);

    /// <summary>Blobs that nothing uses and nobody announced or wrote within <see cref="Grace"/>: known ones, and strays of the store.</summary>
    public static IReadOnlyList<string> Choose(IReadOnlyList<KnownBlob> known, IReadOnlyList<StoredBlob> stored, DateTimeOffset now)
    {
        var names = known.Select(b => b.Sha256).ToHashSet(StringComparer.Ordinal);
        return
        [
            .. known.Where(b => !b.InUse && now - b.WantedAt > Grace).Select(b => b.Sha256),
            .. stored.Where(b => !names.Contains(b.Sha256) && now - b.ModifiedAt > Grace).Select(b => b.Sha256),
        ];
    }
}
