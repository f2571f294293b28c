using Hearth.Coordinator.Hosting;
using Microsoft.AspNetCore.Http.Features;

namespace Hearth.Coordinator.Blobs;

/// <summary>
/// <c>/store/blobs/ab/abcdef…</c>: blobs of the local store. The signature in the address is the only credential. A GET answers
/// ranges, so that a cut download goes on where it stopped; a PUT is hashed while it streams.
/// </summary>
public static class StoreApi
{
    private const string Pattern = AddressSigner.Route + BlobNames.Prefix + "{folder:length(2)}/{sha256:length(64)}";
    private const string PartPattern = AddressSigner.Route + AddressSigner.PartsPrefix + "{sha256:length(64)}/{upload:guid}/{number:int}";

    /// <summary>Nothing is mapped where another store serves its own addresses.</summary>
    public static void MapStore(this WebApplication app)
    {
        if (app.Services.GetRequiredService<IObjectStore>() is not LocalObjectStore store)
        {
            return;
        }

        var signer = app.Services.GetRequiredService<AddressSigner>();
        app.MapMethods(Pattern, [HttpMethods.Get, HttpMethods.Head], (string sha256, long? expires, string? name, string? signature) =>
        {
            if (Refusal(signer, "GET", sha256, name ?? "", expires, signature) is { } refusal)
            {
                return refusal;
            }

            string path = store.PathOf(sha256);
            if (File.Exists(path))
            {
                return TypedResults.PhysicalFile(path, "application/octet-stream", name, enableRangeProcessing: true);
            }

            // A 404 says that the store is there and has no such blob.
            store.RequireMark();
            return (IResult)Problems.NotFound($"The store has no blob {sha256}.");
        }).ExcludeFromDescription();
        app.MapPut(Pattern, async (string sha256, long? expires, long? bytes, string? signature, HttpRequest request, CancellationToken stop) =>
            Refusal(signer, "PUT", sha256, bytes?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "", expires, signature)
                ?? await PutAsync(bytes!.Value, request, () => store.PutAsync(sha256, request.Body, stop))).ExcludeFromDescription();
        app.MapPut(PartPattern, async (string sha256, Guid upload, int number, long? offset, long? bytes, long? expires, string? signature, HttpRequest request, CancellationToken stop) =>
        {
            var (whole, part) = (new PartsUpload(sha256, upload.ToString("N")), new PartRange(number, offset ?? -1, bytes ?? -1));
            return Refusal(signer, "PART", sha256, AddressSigner.Detail(whole, part), expires, signature) ?? await PutAsync(part.Bytes, request, () => store.PutPartAsync(whole, part, request.Body, stop));
        }).ExcludeFromDescription();
    }

    private static IResult? Refusal(AddressSigner signer, string method, string sha256, string detail, long? expires, string? signature) =>
        (BlobNames.IsSha256(sha256) ? signer.Refusal(method, sha256, detail, expires ?? 0, signature ?? "") : "This is no address of a blob.") is { } why
            ? Problems.Forbidden(why)
            : null;

    private static async Task<IResult> PutAsync(long bytes, HttpRequest request, Func<Task> put)
    {
        if (request.ContentLength != bytes)
        {
            return Problems.Field("Content-Length", request.ContentLength?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "", $"{bytes}, as the address was signed for");
        }

        // The length was agreed on when the address was signed.
        request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = bytes;
        try
        {
            await put();
            return TypedResults.NoContent();
        }
        catch (WrongContentException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status422UnprocessableEntity);
        }
    }
}
