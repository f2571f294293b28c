using System.Reflection;
using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Hosting;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Access;

/// <summary>POST /api/v1/session: the token to sign in with.</summary>
public sealed record SignIn(string Token);

/// <summary>Signing in and out, and who is signed in.</summary>
public static class SessionApi
{
    private static readonly TimeSpan Life = TimeSpan.FromDays(30);
    private static readonly string Version = typeof(SessionApi).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public static void MapSession(this RouteGroupBuilder api)
    {
        api.MapPost("/session", SignInAsync).AllowAnonymous().RequireRateLimiting(SecurityExtensions.GuessLimit)
            .WithSummary("Trades a token for a session cookie.");
        api.MapDelete("/session", (HttpContext context) =>
        {
            context.Response.Cookies.Delete(TokenAuthentication.CookieName, Cookie(context));
            return TypedResults.NoContent();
        }).AllowAnonymous().WithSummary("Ends the session.");
        api.MapGet("/me", (ClaimsPrincipal caller, CoordinatorOptions options) => new MeView(caller.CallerName(), caller.Role(), options.Pool, Version))
            .WithSummary("Who is signed in, and to which pool.");
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> SignInAsync(SignIn request, TokenStore tokens, HttpContext context, CancellationToken stop)
    {
        string secret = request.Token.Trim();
        if (await tokens.FindAsync(secret, stop) is not { } owner || owner.Role == Roles.Worker)
        {
            return TypedResults.Problem("The token is not known here, has expired or was revoked.", statusCode: StatusCodes.Status401Unauthorized);
        }

        var cookie = Cookie(context);
        cookie.MaxAge = Life;
        context.Response.Cookies.Append(TokenAuthentication.CookieName, secret, cookie);
        return TypedResults.NoContent();
    }

    private static CookieOptions Cookie(HttpContext context) =>
        new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, Path = "/", IsEssential = true };
}
