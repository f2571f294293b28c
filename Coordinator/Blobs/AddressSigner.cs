using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Blobs;

/// <summary>
/// Signs what an address allows with HMAC-SHA256: method, blob, length (of a PUT), file name (of a GET) and expiry. Any
/// coordinator that shares the key can check it; nothing is stored per address.
/// </summary>
public sealed class AddressSigner(byte[] key, TimeProvider clock)
{
    /// <summary>Root of all signed addresses.</summary>
    public const string Route = "/store/";

    /// <summary>Parts of uploads, below <see cref="Route"/>.</summary>
    public const string PartsPrefix = "parts/";

    public string Get(string sha256, TimeSpan life, string? fileName)
    {
        long expires = Expiry(life);
        string name = fileName is null ? "" : $"&name={Uri.EscapeDataString(fileName)}";
        return $"{Route}{BlobNames.Of(sha256)}?expires={expires}{name}&signature={Sign("GET", sha256, fileName ?? "", expires)}";
    }

    public string Put(string sha256, long bytes, TimeSpan life)
    {
        long expires = Expiry(life);
        return string.Create(CultureInfo.InvariantCulture,
            $"{Route}{BlobNames.Of(sha256)}?expires={expires}&bytes={bytes}&signature={Sign("PUT", sha256, bytes.ToString(CultureInfo.InvariantCulture), expires)}");
    }

    /// <summary>Address of one part of an upload.</summary>
    public string Part(PartsUpload upload, PartRange part, TimeSpan life)
    {
        long expires = Expiry(life);
        return string.Create(CultureInfo.InvariantCulture,
            $"{Route}{PartsPrefix}{upload.Sha256}/{upload.Id}/{part.Number}?offset={part.Offset}&bytes={part.Bytes}&expires={expires}&signature={Sign("PART", upload.Sha256, Detail(upload, part), expires)}");
    }

    /// <summary>What a part's signature covers beside the blob.</summary>
    public static string Detail(PartsUpload upload, PartRange part) => string.Create(CultureInfo.InvariantCulture, $"{upload.Id} {part.Number} {part.Offset} {part.Bytes}");

    /// <summary>Null when the address was signed here for this use and is still valid; else why it is refused.</summary>
    /// <param name="method"><c>GET</c>, <c>PUT</c> or <c>PART</c>.</param>
    /// <param name="sha256">The blob.</param>
    /// <param name="detail">File name of a GET, bytes of a PUT, <see cref="Detail"/> of a part.</param>
    /// <param name="expires">Seconds since 1970.</param>
    /// <param name="signature">64 hex digits.</param>
    public string? Refusal(string method, string sha256, string detail, long expires, string signature)
    {
        byte[] given = Encoding.ASCII.GetBytes(signature), right = Encoding.ASCII.GetBytes(Sign(method, sha256, detail, expires));
        if (!CryptographicOperations.FixedTimeEquals(given, right))
        {
            return "The signature does not belong to this address. Ask the coordinator for a new one.";
        }

        return clock.GetUtcNow().ToUnixTimeSeconds() < expires ? null : "This address has expired. Ask the coordinator for a new one.";
    }

    /// <summary>Reads the key of a data folder, or makes one that only this account can read.</summary>
    public static byte[] LoadKey(string folder)
    {
        string path = Path.Combine(folder, "store.key");
        if (!File.Exists(path))
        {
            try
            {
                Directory.CreateDirectory(folder);
                OwnFile.Create(path, RandomNumberGenerator.GetBytes(32));
            }
            catch (IOException e) when (DiskSpace.RanOut(e))
            {
                throw new InvalidOperationException($"{folder} is on a disk that is full: the store's key could not be written. Free some room and start again.", e);
            }
            catch (IOException) when (File.Exists(path))
            {
                // Another coordinator on the same folder was first; its key counts.
            }
        }

        byte[] key = File.ReadAllBytes(path);
        return key.Length >= 32
            ? key
            : throw new InvalidOperationException($"{path} has {key.Length} bytes. Allowed: at least 32. Remove it to have a new key made; addresses given out before then stop working.");
    }

    private long Expiry(TimeSpan life) => clock.GetUtcNow().Add(life).ToUnixTimeSeconds();

    private string Sign(string method, string sha256, string detail, long expires) => Convert.ToHexStringLower(HMACSHA256.HashData(
        key, Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{method}\n{sha256}\n{expires}\n{detail}"))));
}
