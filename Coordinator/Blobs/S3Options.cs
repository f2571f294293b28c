namespace Hearth.Coordinator.Blobs;

/// <summary>An S3-compatible store: MinIO, Garage, Ceph, AWS.</summary>
/// <param name="Prefix">Before every key; empty, or ends with a slash. Pools that share a bucket have one each.</param>
public sealed record S3Options(Uri Endpoint, string Bucket, string AccessKey, string SecretKey, string Region, string Prefix = "")
{
    /// <summary>
    /// <c>HEARTH_S3_BUCKET</c> chooses S3; then <c>HEARTH_S3_ENDPOINT</c>, <c>HEARTH_S3_ACCESS_KEY</c> and <c>HEARTH_S3_SECRET_KEY</c> must
    /// be there, <c>HEARTH_S3_REGION</c> and <c>HEARTH_S3_PREFIX</c> may be. Null = no S3.
    /// </summary>
    /// <exception cref="InvalidOperationException">A setting is missing or wrong.</exception>
    public static S3Options? Read(IConfiguration settings)
    {
        string? bucket = settings["HEARTH_S3_BUCKET"];
        if (string.IsNullOrEmpty(bucket))
        {
            return null;
        }

        string Need(string name, string allowed) => settings[name] is { Length: > 0 } value
            ? value
            : throw new InvalidOperationException($"{name} is missing, and HEARTH_S3_BUCKET is {bucket}. Allowed: {allowed}.");
        string endpoint = Need("HEARTH_S3_ENDPOINT", "http://HOST:PORT or https://HOST");
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
        {
            throw new InvalidOperationException($"HEARTH_S3_ENDPOINT is {endpoint}. Allowed: http://HOST:PORT or https://HOST.");
        }

        return new S3Options(
            address,
            bucket,
            Need("HEARTH_S3_ACCESS_KEY", "the access key's id"),
            Need("HEARTH_S3_SECRET_KEY", "the access key's secret"),
            settings["HEARTH_S3_REGION"] is { Length: > 0 } region ? region : "us-east-1",
            StoreSettings.Prefix("HEARTH_S3_PREFIX", settings));
    }
}
