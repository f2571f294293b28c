using Hearth.Coordinator.Blobs;
using Hearth.Runs;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace Hearth.Coordinator.Hosting;

/// <summary>Expected refusals, as problem+json. Bugs throw instead.</summary>
public static class Problems
{
    /// <summary>422 with every wrong field under <c>errors</c>.</summary>
    public static ProblemHttpResult Fields(IReadOnlyList<FieldError> errors) => TypedResults.Problem(
        string.Join(' ', errors.Select(e => e.Message)),
        statusCode: StatusCodes.Status422UnprocessableEntity,
        title: errors.Count == 1 ? "A field is wrong." : $"{errors.Count} fields are wrong.",
        extensions: [KeyValuePair.Create("errors", (object?)errors)]);

    public static ProblemHttpResult Field(string field, string value, string allowed) =>
        Fields([new FieldError(field, value, allowed, value.Length == 0 ? $"{field} is missing. Allowed: {allowed}." : $"{field} is {value}. Allowed: {allowed}.")]);

    public static ProblemHttpResult NotFound(string detail) => TypedResults.Problem(detail, statusCode: StatusCodes.Status404NotFound);

    public static ProblemHttpResult Conflict(string detail) => TypedResults.Problem(detail, statusCode: StatusCodes.Status409Conflict);

    /// <summary>409: the writer's attempt is over, or was never its own. It must stop and send nothing more.</summary>
    public static ProblemHttpResult Fenced() => Conflict("This attempt is over: its epoch has passed, or another worker holds it. Stop it and send nothing more of it.");

    public static ProblemHttpResult Forbidden(string detail) => TypedResults.Problem(detail, statusCode: StatusCodes.Status403Forbidden);
}

/// <summary>Turns exceptions that a caller or an operator can do something about into their problem+json.</summary>
internal sealed class ProblemHandler(IProblemDetailsService problems) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        (int status, string detail)? known = exception switch
        {
            BadHttpRequestException e => (e.StatusCode, e.InnerException is System.Text.Json.JsonException json ? $"The body is not what this route reads: {json.Message}" : e.Message),
            StoreAwayException e => (StatusCodes.Status503ServiceUnavailable, e.Message),
            StoreFullException e => (StatusCodes.Status507InsufficientStorage, e.Message),
            NpgsqlException { IsTransient: true } => (StatusCodes.Status503ServiceUnavailable, "The database does not answer. Try again in a moment."),
            _ => null,
        };
        if (known is not { } problem)
        {
            return false;
        }

        httpContext.Response.StatusCode = problem.status;
        return await problems.TryWriteAsync(new ProblemDetailsContext
        {
            HttpContext = httpContext,
            ProblemDetails = { Status = problem.status, Detail = problem.detail },
        });
    }
}
