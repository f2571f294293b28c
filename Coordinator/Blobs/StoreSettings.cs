namespace Hearth.Coordinator.Blobs;

/// <summary>Settings of the store that hold for every kind.</summary>
/// <param name="Adopt"><c>HEARTH_ADOPT_STORE</c>: the id of the pool whose store becomes this pool's, or <see cref="StoreClaim.Unmarked"/>.</param>
/// <param name="PartBytes"><c>HEARTH_STORE_PART_MIB</c>: larger blobs are sent in parts of this length.</param>
public sealed record StoreSettings(string? Adopt = null, long PartBytes = StoreSettings.DefaultPartBytes)
{
    public const long DefaultPartBytes = 32 << 20;

    /// <exception cref="InvalidOperationException">A setting is wrong.</exception>
    public static StoreSettings Read(IConfiguration settings)
    {
        string? adopt = settings["HEARTH_ADOPT_STORE"] is { Length: > 0 } value ? value.ToLowerInvariant() : null;
        return adopt is null or StoreClaim.Unmarked || Guid.TryParse(adopt, out _)
            ? new StoreSettings(adopt, ReadPart(settings["HEARTH_STORE_PART_MIB"]))
            : throw new InvalidOperationException($"HEARTH_ADOPT_STORE is {adopt}. Allowed: the id of the pool whose store is taken over, or {StoreClaim.Unmarked}.");
    }

    // S3 takes no shorter parts, and a part that breaks off is sent again.
    private static long ReadPart(string? text) =>
        string.IsNullOrEmpty(text) ? DefaultPartBytes
        : int.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out int mib) && mib is >= 5 and <= 1024 ? (long)mib << 20
        : throw new InvalidOperationException($"HEARTH_STORE_PART_MIB is {text}. Allowed: 5 to 1024.");

    /// <summary>A setting that goes before every key.</summary>
    /// <exception cref="InvalidOperationException">It would lead out of the store, or into it by a second way.</exception>
    internal static string Prefix(string name, IConfiguration settings)
    {
        string prefix = (settings[name] ?? "").TrimEnd('/');
        return prefix.Length == 0 ? ""
            : prefix.Length <= 200 && prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/') && prefix.Split('/').All(part => part is not ("" or "." or ".."))
                ? prefix + "/"
                : throw new InvalidOperationException($"{name} is {prefix}. Allowed: names of letters, digits, dots, dashes and underscores, with a slash between them.");
    }
}
