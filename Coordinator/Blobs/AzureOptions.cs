namespace Hearth.Coordinator.Blobs;

/// <summary>A container of Azure blobs, or of what speaks like it.</summary>
/// <param name="Connection">Connection string with the account's key, which signs the addresses.</param>
/// <param name="Container">Must exist.</param>
/// <param name="Prefix">Before every name; empty, or ends with a slash. Pools that share a container have one each.</param>
public sealed record AzureOptions(string Connection, string Container, string Prefix = "")
{
    /// <summary><c>HEARTH_AZURE_CONTAINER</c> chooses Azure; then <c>HEARTH_AZURE_CONNECTION</c> must be there, <c>HEARTH_AZURE_PREFIX</c> may be. Null = no Azure.</summary>
    /// <exception cref="InvalidOperationException">A setting is missing or wrong.</exception>
    public static AzureOptions? Read(IConfiguration settings)
    {
        if (settings["HEARTH_AZURE_CONTAINER"] is not { Length: > 0 } container)
        {
            return null;
        }

        if (settings["HEARTH_S3_BUCKET"] is { Length: > 0 } bucket)
        {
            throw new InvalidOperationException($"HEARTH_AZURE_CONTAINER is {container}, and HEARTH_S3_BUCKET is {bucket}. Allowed: one of them.");
        }

        string connection = settings["HEARTH_AZURE_CONNECTION"] is { Length: > 0 } value
            ? value
            : throw new InvalidOperationException($"HEARTH_AZURE_CONNECTION is missing, and HEARTH_AZURE_CONTAINER is {container}. Allowed: a connection string with AccountName and AccountKey.");

        // The value holds a key, so the message leaves it out.
        return connection.Contains("AccountKey=", StringComparison.OrdinalIgnoreCase)
            ? new AzureOptions(connection, container, StoreSettings.Prefix("HEARTH_AZURE_PREFIX", settings))
            : throw new InvalidOperationException("HEARTH_AZURE_CONNECTION has no AccountKey, without which no address can be signed. Allowed: a connection string with AccountName and AccountKey.");
    }
}
