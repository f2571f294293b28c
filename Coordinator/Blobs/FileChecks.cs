using System.Globalization;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Blobs;

/// <summary>What may stand in a list of files that a worker sends. Pure.</summary>
public static class FileChecks
{
    private const int MostFiles = 256;

    /// <summary>Every wrong entry; none when the list may be used.</summary>
    public static IReadOnlyList<FieldError> Check(string field, IReadOnlyList<FileRef> files)
    {
        var errors = new List<FieldError>();
        void Wrong(string at, string value, string allowed) => errors.Add(FieldError.Of(at, value, allowed, withoutValue: "empty"));
        if (files.Count is 0 or > MostFiles)
        {
            Wrong(field, $"{files.Count} files", $"1 to {MostFiles} files");
        }

        for (int i = 0; i < files.Count && errors.Count < 10; i++)
        {
            var file = files[i];
            string at = string.Create(CultureInfo.InvariantCulture, $"{field}[{i}]");
            if (!IsRelativeName(file.Name))
            {
                Wrong($"{at}.name", file.Name, "a relative file name of at most 255 characters");
            }

            if (!BlobNames.IsSha256(file.Sha256))
            {
                Wrong($"{at}.sha256", file.Sha256, "64 lower-case hex digits");
            }

            if (file.Bytes is < 0 or > DeviceListRules.MostBytes)
            {
                Wrong($"{at}.bytes", Words.Number(file.Bytes), $"0 to {Words.Number(DeviceListRules.MostBytes)}");
            }
        }

        if (files.GroupBy(f => f.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            Wrong(field, $"a list with {twice.Key} twice", "each name once");
        }

        return errors;
    }

    /// <summary>What is said of a blob that a commit refers to and the store lacks.</summary>
    internal static FieldError Missing(string field, FileRef file) => new(
        field,
        file.Name,
        "files whose blobs are stored",
        $"{file.Name} (SHA-256 {file.Sha256[..12]}…, {file.Bytes:N0} bytes) is not in the object store. Upload it first.");

    /// <summary>A name comes over the wire and becomes a path on other machines, so it may not lead out of a folder.</summary>
    private static bool IsRelativeName(string name) =>
        name.Length is > 0 and <= 255 && !name.Any(c => char.IsControl(c) || c is '\\' or ':') && name.Split('/').All(part => part is not ("" or "." or ".."));
}
