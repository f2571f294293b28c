using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Hosting;
using Hearth.Runs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Access;

/// <summary>Tokens of people and scripts. Workers get theirs by joining.</summary>
public static class TokensApi
{
    private const int LongestName = 64;
    private const int MostDays = 3650;
    private static readonly string[] Given = [Roles.Admin, Roles.Submit, Roles.View];

    public static void MapTokens(this RouteGroupBuilder api)
    {
        var tokens = api.MapGroup("/tokens").RequireAuthorization(Policies.Admin);
        tokens.MapGet("", (TokenStore store, CancellationToken stop) => store.ListAsync(stop)).WithSummary("All tokens, without their secrets.");
        tokens.MapPost("", CreateAsync).WithSummary("Makes a token; the answer shows its secret, once.");
        tokens.MapDelete("/{id:guid}", DeleteAsync).WithSummary("Revokes a token at once.");
    }

    private static async Task<Results<Ok<TokenView>, ProblemHttpResult>> CreateAsync(CreateToken request, TokenStore store, ClaimsPrincipal caller, ILogger<TokenStore> log, CancellationToken stop)
    {
        if (Check(request) is { Count: > 0 } errors)
        {
            return Problems.Fields(errors);
        }

        var token = await store.CreateAsync(request.Name.Trim(), request.Role, request.DaysValid is { } days ? TimeSpan.FromDays(days) : null, stop);
        log.TokenCreated(caller.CallerName(), token.Name, token.Role);
        return TypedResults.Ok(token);
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(Guid id, TokenStore store, ClaimsPrincipal caller, ILogger<TokenStore> log, CancellationToken stop)
    {
        switch (await store.DeleteAsync(id, stop))
        {
            case false:
                return Problems.NotFound($"No token has the id {id}.");
            case null:
                return Problems.Conflict("This is the last token that can administer the pool. Make another one first.");
            default:
                log.TokenRevoked(caller.CallerName(), id);
                return TypedResults.NoContent();
        }
    }

    private static List<FieldError> Check(CreateToken request)
    {
        var errors = new List<FieldError>();
        void Wrong(string field, string value, string allowed) => errors.Add(FieldError.Of(field, value, allowed, withoutValue: "empty"));

        if (request.Name is null || request.Name.Trim().Length is 0 or > LongestName)
        {
            Wrong("name", request.Name ?? "", $"1 to {LongestName} characters");
        }
        else if (TextRules.Name("name", request.Name, LongestName) is { } unreadable)
        {
            errors.Add(unreadable);
        }

        if (!Given.Contains(request.Role))
        {
            Wrong("role", request.Role ?? "", string.Join(", ", Given));
        }

        if (request.DaysValid is < 1 or > MostDays)
        {
            Wrong("days_valid", Words.Number(request.DaysValid.Value), $"1 to {Words.Number(MostDays)}, or none for a token that does not expire");
        }

        return errors;
    }
}
