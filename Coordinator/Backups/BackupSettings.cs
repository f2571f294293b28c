using System.Globalization;

namespace Hearth.Coordinator.Backups;

/// <summary>Nightly backups of the database. All coordinators of a pool have the same.</summary>
/// <param name="Folder"><c>HEARTH_BACKUP_FOLDER</c>: where they go.</param>
/// <param name="Keep"><c>HEARTH_BACKUP_KEEP</c>: how many stay.</param>
public sealed record BackupSettings(string Folder, int Keep)
{
    private const int DefaultKeep = 7;
    private const string Before = "hearth-";
    private const string After = ".backup";

    /// <summary>Null where no folder is set.</summary>
    /// <exception cref="InvalidOperationException">A setting is wrong.</exception>
    public static BackupSettings? Read(IConfiguration settings) => settings["HEARTH_BACKUP_FOLDER"] is { Length: > 0 } folder
        ? new BackupSettings(Path.GetFullPath(folder), ReadKeep(settings["HEARTH_BACKUP_KEEP"]))
        : null;

    /// <summary>Name of a backup; names in order are in the order of time. Pure.</summary>
    internal static string NameAt(DateTimeOffset at) => $"{Before}{at.UtcDateTime.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}{After}";

    /// <summary>Which files of a folder are backups that may go: all but the newest. Other files are none of ours. Pure.</summary>
    internal IReadOnlyList<string> Surplus(IEnumerable<string> names) =>
    [
        .. names.Where(IsBackup).OrderDescending(StringComparer.Ordinal).Skip(Keep),
    ];

    private static bool IsBackup(string name) =>
        name.StartsWith(Before, StringComparison.Ordinal) && name.EndsWith(After, StringComparison.Ordinal)
        && DateTime.TryParseExact(name[Before.Length..^After.Length], "yyyyMMdd-HHmmss", CultureInfo.InvariantCulture, DateTimeStyles.None, out _);

    private static int ReadKeep(string? text) =>
        string.IsNullOrEmpty(text) ? DefaultKeep
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int keep) && keep is >= 1 and <= 1000 ? keep
        : throw new InvalidOperationException($"HEARTH_BACKUP_KEEP is {text}. Allowed: 1 to 1000.");
}
