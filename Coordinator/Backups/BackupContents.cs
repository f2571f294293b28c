using System.Text.Json;

namespace Hearth.Coordinator.Backups;

/// <summary>First entry of an archive: what it is, before anything of it is used.</summary>
/// <param name="Format">Of the archive; 1.</param>
/// <param name="Pool">Whose it is; the object store bears the same id.</param>
/// <param name="CreatedAt">The moment that it shows.</param>
/// <param name="Migrations">Steps that its database has gone through.</param>
public sealed record BackupHead(int Format, Guid Pool, DateTimeOffset CreatedAt, IReadOnlyList<string> Migrations)
{
    public const int CurrentFormat = 1;

    /// <summary>Why this program cannot restore it, in one sentence, or null. Pure.</summary>
    /// <param name="known">Migrations of this program.</param>
    public string? Refusal(IReadOnlyCollection<string> known) =>
        Format != CurrentFormat ? $"The archive has the format {Format}, and this version reads {CurrentFormat}. Restore it with the version that made it."
        : Migrations.Except(known, StringComparer.Ordinal).Order(StringComparer.Ordinal).LastOrDefault() is { } newer
            ? $"The archive's database is newer than this version: it has {newer}, which is not known here. Restore it with the version that made it, or a later one."
            : null;
}

/// <summary>Last entry of an archive: without it the archive is not whole.</summary>
/// <param name="DumpBytes">Length of the database's dump.</param>
/// <param name="DumpSha256">Its hash.</param>
/// <param name="Blobs">Everything that the database refers to.</param>
public sealed record BackupContents(long DumpBytes, string DumpSha256, IReadOnlyList<BackupBlob> Blobs);

/// <summary>A blob that the database refers to.</summary>
/// <param name="Sha256">Its name and hash.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Included">Whether its bytes are in the archive.</param>
public sealed record BackupBlob(string Sha256, long Bytes, bool Included);

/// <summary>An archive that is damaged, or not to be restored here; the message says why.</summary>
public sealed class BackupRefusedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Names of the entries of an archive, which is a tar.</summary>
internal static class BackupEntries
{
    internal const string Head = "head.json";
    internal const string Dump = "database.dump";
    internal const string Contents = "contents.json";

    internal static byte[] Json<T>(T value) => JsonSerializer.SerializeToUtf8Bytes(value, Hearth.Json.Pretty);
}
