using Hearth.Coordinator.Hosting;
using Microsoft.Net.Http.Headers;

namespace Hearth.Coordinator.Access;

/// <summary>
/// Refuses writes that carry the session's cookie but come from another site. Bearer tokens are not affected: a browser
/// never adds one by itself.
/// </summary>
internal static class CrossSite
{
    private static readonly string[] FormTypes = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

    internal static void UseSameOriginWrites(this WebApplication app)
    {
        var known = app.Services.GetRequiredService<CoordinatorOptions>().PublicUrl;
        app.Use(async (context, next) =>
        {
            if (Refusal(context.Request, known) is { } refusal)
            {
                await Problems.Forbidden(refusal).ExecuteAsync(context);
                return;
            }

            await next(context);
        });
    }

    private static string? Refusal(HttpRequest request, Uri? known)
    {
        bool reads = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method);
        if (reads || !request.Cookies.ContainsKey(TokenAuthentication.CookieName) || request.Headers.ContainsKey(HeaderNames.Authorization))
        {
            return null;
        }

        if (!IsSameOrigin(request, known))
        {
            string origin = request.Headers.Origin.Count > 0 ? request.Headers.Origin.ToString() : "an unnamed origin";
            return $"A write with the session's cookie must come from this site, not from {origin}.";
        }

        // What a form of another site can send without the browser asking first.
        return request.ContentType is { } type && FormTypes.Any(f => type.StartsWith(f, StringComparison.OrdinalIgnoreCase))
            ? $"Content-Type is {type}. Allowed: application/json."
            : null;
    }

    private static bool IsSameOrigin(HttpRequest request, Uri? known) =>
        Uri.TryCreate(request.Headers.Origin, UriKind.Absolute, out var origin)
            ? origin.Authority == Authority(request) || origin.Authority == known?.Authority
            : request.Headers["Sec-Fetch-Site"] == "same-origin";

    // Through Uri, which leaves out a scheme's own port on both sides.
    private static string? Authority(HttpRequest request) =>
        Uri.TryCreate($"{request.Scheme}://{request.Host}", UriKind.Absolute, out var own) ? own.Authority : null;
}
