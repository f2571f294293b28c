using System.Globalization;
using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Coordinator.Hosting;
using Hearth.Runs;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>Uploads in parts: begun, sent part by part from where they end, and then imported. After a break the sender asks for the offset and goes on.</summary>
internal static class UploadsApi
{
    /// <summary>Header of every answer about an upload: bytes that are there.</summary>
    private const string OffsetHeader = "Upload-Offset";
    private const int LongestName = 255;

    internal static void MapUploads(this RouteGroupBuilder api)
    {
        var uploads = api.MapGroup("/datasets/uploads").RequireAuthorization(Policies.Submit);
        uploads.MapPost("", StartAsync).WithSummary("Begins an upload.");
        uploads.MapGet("/{upload:guid}", FindAsync).WithSummary("How far an upload is.");
        uploads.MapMethods("/{upload:guid}", [HttpMethods.Head], FindAsync).ExcludeFromDescription();
        uploads.MapPut("/{upload:guid}", PutAsync).WithSummary("Takes the part that begins where the upload ends.");
        uploads.MapDelete("/{upload:guid}", async Task<Results<NoContent, ProblemHttpResult>> (Guid upload, UploadStore store, CancellationToken stop) =>
            await store.RemoveAsync(upload, stop) ? TypedResults.NoContent() : Unknown(upload)).WithSummary("Gives an upload up.");
    }

    private static async Task<Results<Created<UploadView>, ProblemHttpResult>> StartAsync(
        StartUpload request, ClaimsPrincipal caller, UploadStore store, ImportSettings settings, HttpResponse response, CancellationToken stop)
    {
        var errors = new List<FieldError>();
        if (TextRules.Name("file_name", request.FileName, LongestName) is { } unreadable)
        {
            errors.Add(unreadable);
        }
        else if (EntryNames.Refusal(request.FileName) is { } refusal)
        {
            errors.Add(FieldError.Of("file_name", $"{request.FileName}, {refusal}", "the name of a file", withoutValue: "empty"));
        }

        if (request.Bytes is { } bytes && (bytes < 1 || bytes > settings.MostSourceBytes))
        {
            errors.Add(FieldError.Of("bytes", Words.Number(bytes), $"1 to {Words.Number(settings.MostSourceBytes)} (HEARTH_IMPORT_SOURCE_BYTES)"));
        }

        if (errors.Count > 0)
        {
            return Problems.Fields(errors);
        }

        var upload = await store.BeginAsync(request, caller.CallerName(), stop);
        Tell(response, upload);
        return TypedResults.Created($"/api/v1/datasets/uploads/{upload.Id}", upload);
    }

    private static async Task<Results<Ok<UploadView>, ProblemHttpResult>> FindAsync(Guid upload, UploadStore store, HttpResponse response, CancellationToken stop)
    {
        if (await store.FindAsync(upload, stop) is not { } view)
        {
            return Unknown(upload);
        }

        Tell(response, view);
        return TypedResults.Ok(view);
    }

    private static async Task<Results<Ok<UploadView>, ProblemHttpResult>> PutAsync(
        Guid upload, long? offset, HttpRequest request, UploadStore store, ImportSettings settings, CancellationToken stop)
    {
        long most = Math.Min(UploadStore.MostPartBytes, settings.MostSourceBytes - (offset ?? 0));
        if (offset is null or < 0 || most < 0)
        {
            return Problems.Field("offset", offset is { } wrong ? Words.Number(wrong) : "", $"0 to {Words.Number(settings.MostSourceBytes)} (HEARTH_IMPORT_SOURCE_BYTES)");
        }

        if (request.ContentLength > most)
        {
            return Problems.Field("Content-Length", Words.Number(request.ContentLength.Value), $"at most {Words.Number(most)} in a part");
        }

        request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = most;
        switch (await store.PutAsync(upload, offset.Value, request.Body, stop))
        {
            case PartResult.Taken taken:
                Tell(request.HttpContext.Response, taken.Upload);
                return TypedResults.Ok(taken.Upload);
            case PartResult.Misplaced misplaced:
                Tell(request.HttpContext.Response, misplaced.Upload);
                return Problems.Conflict($"The part begins at {Words.Number(offset.Value)}, and the upload has {Words.Number(misplaced.Upload.Offset)}{(misplaced.Upload.Bytes is { } all ? $" of {Words.Number(all)}" : "")} bytes. Go on from there.");
            default:
                return Unknown(upload);
        }
    }

    private static void Tell(HttpResponse response, UploadView upload) => response.Headers[OffsetHeader] = upload.Offset.ToString(CultureInfo.InvariantCulture);

    private static ProblemHttpResult Unknown(Guid upload) => Problems.NotFound($"There is no upload {upload}. One is kept for a day after its last part.");
}
