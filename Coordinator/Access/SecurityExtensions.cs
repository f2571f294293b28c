using System.Globalization;
using System.Threading.RateLimiting;
using Hearth.Coordinator.Hosting;
using Microsoft.AspNetCore.Authentication;

namespace Hearth.Coordinator.Access;

/// <summary>Names of authorization policies.</summary>
public static class Policies
{
    public const string View = "view";
    public const string Submit = "submit";
    public const string Admin = "admin";
    public const string Worker = "worker";
}

/// <summary>Who may do what: nothing is open unless a route says so.</summary>
public static class SecurityExtensions
{
    /// <summary>Rate limit of routes on which a secret could be guessed.</summary>
    public const string GuessLimit = "guess";

    // A burst that no person notices; then one try every two seconds from each address.
    private const int GuessBurst = 30;

    public static void AddSecurity(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<TokenStore>();
        builder.Services.AddAuthentication(TokenAuthentication.SchemeName)
            .AddScheme<AuthenticationSchemeOptions, TokenAuthentication>(TokenAuthentication.SchemeName, null);
        builder.Services.AddAuthorizationBuilder()
            .AddPolicy(Policies.View, p => p.RequireRole(Roles.View, Roles.Submit, Roles.Admin))
            .AddPolicy(Policies.Submit, p => p.RequireRole(Roles.Submit, Roles.Admin))
            .AddPolicy(Policies.Admin, p => p.RequireRole(Roles.Admin))
            .AddPolicy(Policies.Worker, p => p.RequireRole(Roles.Worker));
        builder.Services.AddRateLimiter(options =>
        {
            options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            options.OnRejected = static async (rejected, _) =>
            {
                rejected.HttpContext.Response.Headers.RetryAfter = "2";
                await TypedResults.Problem("Too many tries from this address. Wait a few seconds.", statusCode: StatusCodes.Status429TooManyRequests)
                    .ExecuteAsync(rejected.HttpContext);
            };
            options.AddPolicy(GuessLimit, context => RateLimitPartition.GetTokenBucketLimiter(
                context.Connection.RemoteIpAddress?.ToString() ?? "",
                _ => new TokenBucketRateLimiterOptions { TokenLimit = GuessBurst, TokensPerPeriod = 1, ReplenishmentPeriod = TimeSpan.FromSeconds(2), QueueLimit = 0 }));
        });
    }

    public static void UseSecurity(this WebApplication app)
    {
        app.UseSameOriginWrites();
        app.UseRateLimiter();
        app.UseAuthentication();
        app.UseAuthorization();
    }

    /// <summary>
    /// Makes the first admin token and shows it once: on standard output, or in a file that its owner alone can read. The file is made before the
    /// token, so that no token exists that nobody was told.
    /// </summary>
    /// <exception cref="InvalidOperationException">The file is there already: it holds another database's token, which is not overwritten.</exception>
    public static async Task EnsureAdminTokenAsync(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<CoordinatorOptions>();
        var tokens = app.Services.GetRequiredService<TokenStore>();
        if (options.AdminTokenFile is not { } path)
        {
            if (await tokens.CreateFirstAdminAsync(_ => { }, app.Lifetime.ApplicationStopping) is { } secret)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Admin token (shown once): {secret}"));
            }

            return;
        }

        await tokens.CreateFirstAdminAsync(secret => WriteToken(path, secret), app.Lifetime.ApplicationStopping);
    }

    /// <summary>Writes a token into a new file that its owner alone can read.</summary>
    internal static void WriteToken(string path, string secret)
    {
        try
        {
            OwnFile.Create(path, System.Text.Encoding.ASCII.GetBytes(secret + "\n"));
        }
        catch (IOException e) when (DiskSpace.RanOut(e))
        {
            throw new InvalidOperationException($"HEARTH_ADMIN_TOKEN_FILE is {path}, and its disk is full: no token was made. Free some room and start again.", e);
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new InvalidOperationException(
                $"HEARTH_ADMIN_TOKEN_FILE is {path}, which exists, and this database has no admin token: the file's is another database's. Start with that database, or move the file away to have a token made for this one.", e);
        }
    }
}
