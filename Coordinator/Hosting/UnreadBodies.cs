using Microsoft.AspNetCore.Http.Features;

namespace Hearth.Coordinator.Hosting;

/// <summary>
/// Lets a sender hear why it is refused. Who answers without having read the body and then closes makes the system drop both what still comes and the answer: most
/// clients write all of a body before they read, and would see a broken connection in place of words. So what comes is read for a while and thrown away.
/// </summary>
internal static class UnreadBodies
{
    private const long MostBytes = 64L << 20;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    /// <summary>Outermost, so that the answer is complete when it looks.</summary>
    public static void UseUnreadBodies(this WebApplication app) => app.Use(async (context, next) =>
    {
        var body = context.Request.Body;
        await next(context);
        bool hasBody = context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true };
        if (hasBody && context.Response.StatusCode >= StatusCodes.Status400BadRequest)
        {
            await context.Response.CompleteAsync();
            await DropAsync(context, body);
        }
    });

    private static async Task DropAsync(HttpContext context, Stream body)
    {
        // The limit is for what is kept.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = null;
        }

        using var enough = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        enough.CancelAfter(Longest);
        byte[] some = new byte[1 << 16];
        try
        {
            for (long read = 0, n = 1; n > 0 && read < MostBytes; read += n)
            {
                n = await body.ReadAsync(some, enough.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The sender has gone, takes too long, or sends what cannot be read.
        }
    }
}
