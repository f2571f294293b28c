using System.Security.Cryptography;
using Hearth.Protocol;

namespace Hearth.Coordinator.Blobs;

/// <summary>What the coordinator itself found when it read a blob from beginning to end.</summary>
public abstract record BlobReading
{
    public sealed record Whole : BlobReading;

    /// <summary>The store has none under this name.</summary>
    public sealed record Missing : BlobReading;

    /// <summary>Two readings gave the same bytes, and they are not those of the name.</summary>
    public sealed record Damaged(string Found) : BlobReading;

    /// <summary>Reads a blob and compares it with its name and length.</summary>
    /// <exception cref="StoreAwayException">The store did not let it be read to the end, or gave other bytes each time.</exception>
    public static async Task<BlobReading> ReadAsync(IObjectStore store, FileRef file, CancellationToken stop)
    {
        var first = await HashAsync(store, file.Sha256, stop);
        if (first is null)
        {
            return new Missing();
        }

        if (first == (file.Sha256, file.Bytes))
        {
            return new Whole();
        }

        // A verdict that takes a checkpoint out of use is worth a second look: memory and cables fail too.
        return await HashAsync(store, file.Sha256, stop) is { } second && second == first
            ? new Damaged($"its SHA-256 is {first.Value.Sha256[..12]}… over {first.Value.Bytes:N0} bytes, not {file.Sha256[..12]}… over {file.Bytes:N0}")
            : throw new StoreAwayException($"The object store ({store.Name}) gives different bytes for {file.Name} each time it is read.");
    }

    private static async Task<(string Sha256, long Bytes)?> HashAsync(IObjectStore store, string sha256, CancellationToken stop)
    {
        if (await store.GetAsync(sha256, stop) is not { } stream)
        {
            return null;
        }

        await using (stream)
        {
            try
            {
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                byte[] buffer = new byte[1 << 18];
                long bytes = 0;
                for (int n; (n = await stream.ReadAsync(buffer, stop)) > 0; bytes += n)
                {
                    hash.AppendData(buffer, 0, n);
                }

                return (Convert.ToHexStringLower(hash.GetHashAndReset()), bytes);
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                throw new StoreAwayException($"The object store ({store.Name}) broke off while {sha256[..12]}… was read: {e.Message}", e);
            }
        }
    }
}
