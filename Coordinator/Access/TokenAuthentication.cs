using System.Text.Encodings.Web;
using Hearth.Coordinator.Hosting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Hearth.Coordinator.Access;

/// <summary>
/// Authenticates by bearer token or by the session cookie, whose value is a token that scripts in the page cannot read.
/// Tokens are looked up at each request, so that a revoked one ends at once.
/// </summary>
internal sealed class TokenAuthentication(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory logger,
    UrlEncoder encoder,
    TokenStore tokens) : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    internal const string SchemeName = "hearth";
    internal const string CookieName = "hearth_session";
    private const string Bearer = "Bearer ";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Secret() is not { Length: > 0 } secret)
        {
            return AuthenticateResult.NoResult();
        }

        var owner = await tokens.FindAsync(secret, Context.RequestAborted);
        return owner is null
            ? AuthenticateResult.Fail("unknown token")
            : AuthenticateResult.Success(new AuthenticationTicket(Caller.Principal(owner.Id, owner.Name, owner.Role, SchemeName), SchemeName));
    }

    /// <summary>401; and 410 for a worker that was removed here, since an agent takes no mere 401 for the end of its work: it may come from anywhere.</summary>
    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        string? secret = Secret();
        if (!string.IsNullOrEmpty(secret) && await tokens.FindRemovedWorkerAsync(secret, Context.RequestAborted) is { } removed)
        {
            await TypedResults.Problem($"{removed} was removed from this pool.", statusCode: StatusCodes.Status410Gone).ExecuteAsync(Context);
            return;
        }

        Response.Headers[HeaderNames.WWWAuthenticate] = "Bearer";
        await TypedResults.Problem(
            secret is not null ? "The token is not known here, has expired or was revoked." : "Sign in first, or send a token as Authorization: Bearer.",
            statusCode: StatusCodes.Status401Unauthorized).ExecuteAsync(Context);
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        Problems.Forbidden($"The token {Context.User.CallerName()} has the role {Context.User.Role()}, which does not allow this.").ExecuteAsync(Context);

    // Null = neither header nor cookie.
    private string? Secret()
    {
        string? header = Request.Headers.Authorization;
        return header is null ? Request.Cookies[CookieName]
            : header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? header[Bearer.Length..].Trim()
            : Request.Cookies[CookieName] ?? "";
    }
}
