using System.Text.Json;
using Hearth.Runs;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.Options;

namespace Hearth.Coordinator.Hosting.Wire;

/// <summary>The edge that every JSON body passes once: bounded, parsed, held against its route's type (<see cref="WireCheck"/>), and only then read.</summary>
internal static class WireBodies
{
    private static readonly byte[] ByteOrderMark = [0xef, 0xbb, 0xbf];

    /// <summary>Behind authorization: bodies of strangers are not looked at.</summary>
    public static void UseWireBodies(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
        app.Use(async (context, next) =>
        {
            if (Reads(context) is { RequestType: { } type } reads && await RefuseAsync(context, type, reads.IsOptional, options) is { } refusal)
            {
                await refusal.ExecuteAsync(context);
                return;
            }

            await next(context);
        });
    }

    private static IAcceptsMetadata? Reads(HttpContext context) =>
        context.Request.HasJsonContentType() && context.GetEndpoint()?.Metadata.GetMetadata<IAcceptsMetadata>() is { } reads && reads.ContentTypes.Contains("application/json") ? reads : null;

    private static async Task<IResult?> RefuseAsync(HttpContext context, Type type, bool optional, JsonSerializerOptions options)
    {
        var buffer = new MemoryStream();
        await context.Request.Body.CopyToAsync(buffer, context.RequestAborted);
        int start = buffer.GetBuffer().AsSpan(0, (int)buffer.Length).StartsWith(ByteOrderMark) ? ByteOrderMark.Length : 0;
        var bytes = buffer.GetBuffer().AsMemory(start, (int)buffer.Length - start);
        context.Request.Body = new MemoryStream(buffer.GetBuffer(), start, bytes.Length, writable: false);
        if (bytes.IsEmpty)
        {
            return optional ? null : Problems.Fields([FieldError.Of("body", "", "JSON", withoutValue: "empty")], StatusCodes.Status400BadRequest);
        }

        try
        {
            using var body = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = options.MaxDepth == 0 ? 64 : options.MaxDepth });
            bool isOurProtocols = context.Request.Path.StartsWithSegments("/api/worker");
            return new WireCheck(options, strict: !isOurProtocols).Check(body.RootElement, type) is { Count: > 0 } errors ? Problems.Fields(errors) : null;
        }
        catch (JsonException e)
        {
            return Problems.Fields(
                [FieldError.Of("body", $"no JSON at line {Words.Number((e.LineNumber ?? 0) + 1)}, byte {Words.Number((e.BytePositionInLine ?? 0) + 1)}", "JSON in UTF-8, at most 64 levels deep")],
                StatusCodes.Status400BadRequest);
        }
    }
}
