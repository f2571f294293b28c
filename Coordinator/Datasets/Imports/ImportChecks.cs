using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Coordinator.Hosting;
using Hearth.Runs;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>Looks at an import before anything is read.</summary>
public sealed class ImportChecks(SourceFiles paths, UploadStore uploads)
{
    private const int LongestUrl = 2048;

    /// <summary>The source to read, or every wrong field.</summary>
    public async Task<(ImportSource? Source, IReadOnlyList<FieldError> Errors)> CheckAsync(StartImport wanted, ClaimsPrincipal caller, CancellationToken stop)
    {
        var errors = DatasetRules.Check(wanted.Name, wanted.License);
        int given = (wanted.Paths is null ? 0 : 1) + (wanted.Url is null ? 0 : 1) + (wanted.UploadId is null ? 0 : 1);
        if (given != 1)
        {
            errors.Add(FieldError.Of("paths, url, upload_id", given == 0 ? "" : $"{given} of three", "exactly one of them"));
            return (null, errors);
        }

        string? fileName = null;
        if (wanted.Paths is { } files)
        {
            CheckPaths(wanted, files, caller, errors);
        }
        else if (wanted.Url is { } url)
        {
            errors.AddRange(TextRules.Name("url", url, LongestUrl) is { } unreadable ? [unreadable]
                : AddressRules.Refusal(url) is { } refusal ? [FieldError.Of("url", $"{url}, {refusal}", "http://HOST/… or https://HOST/…", withoutValue: "empty")] : []);
        }
        else
        {
            fileName = await CheckUploadAsync(wanted.UploadId!.Value, errors, stop);
        }

        return errors.Count > 0 ? (null, errors) : (new ImportSource(wanted.Paths, wanted.Url, wanted.UploadId, fileName), errors);
    }

    private void CheckPaths(StartImport wanted, IReadOnlyList<string> files, ClaimsPrincipal caller, List<FieldError> errors)
    {
        if (caller.Role() != Roles.Admin)
        {
            errors.Add(new FieldError("paths", "given", "a token of the role admin", "Paths on the coordinator's machine are for admins alone. Allowed: a token of the role admin; or upload the files."));
            return;
        }

        errors.AddRange(DatasetRules.CheckPaths(files));
        if (errors.Count == 0)
        {
            try
            {
                _ = paths.Find(new ImportDataset(wanted.Name, files, wanted.License));
            }
            catch (DatasetRefusedException e)
            {
                errors.Add(e.Error);
            }
        }
    }

    private async Task<string?> CheckUploadAsync(Guid id, List<FieldError> errors, CancellationToken stop)
    {
        var upload = await uploads.FindAsync(id, stop);
        if (upload is null)
        {
            errors.Add(FieldError.Of("upload_id", id.ToString(), "an upload of the last day"));
        }
        else if (upload.Offset == 0 || upload.Offset < upload.Bytes)
        {
            string has = upload.Bytes is { } bytes ? $"{Words.Number(upload.Offset)} of {Words.Number(bytes)} bytes" : "no bytes";
            errors.Add(new FieldError("upload_id", id.ToString(), "an upload that has all of its bytes", $"The upload {id} has {has}. Allowed: an upload that has all of its bytes."));
        }

        return upload?.FileName;
    }
}
