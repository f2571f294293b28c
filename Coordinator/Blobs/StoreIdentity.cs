using System.Text.Json;

namespace Hearth.Coordinator.Blobs;

/// <summary>Whose store it is: the pool's id, which its database carries too. Lies in the store as <see cref="FileName"/>.</summary>
/// <param name="Pool">The pool.</param>
/// <param name="CreatedAt">When the store became this pool's.</param>
public sealed record StoreIdentity(Guid Pool, DateTimeOffset CreatedAt)
{
    public const string FileName = "hearth-store.json";

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, Json.Pretty);

    /// <exception cref="StoreAwayException">The file is no such mark: the store is in no state to be used.</exception>
    public static StoreIdentity Parse(ReadOnlySpan<byte> bytes, string store)
    {
        try
        {
            return JsonSerializer.Deserialize<StoreIdentity>(bytes, Json.Wire) is { Pool: var pool } identity && pool != Guid.Empty
                ? identity
                : throw new StoreAwayException($"{FileName} of {store} names no pool.");
        }
        catch (JsonException e)
        {
            throw new StoreAwayException($"{FileName} of {store} cannot be read: {e.Message}", e);
        }
    }
}
