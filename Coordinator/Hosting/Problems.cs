using System.Text.RegularExpressions;
using Hearth.Runs;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace Hearth.Coordinator.Hosting;

/// <summary>Expected refusals, as problem+json. Bugs throw instead.</summary>
public static class Problems
{
    private const int MostErrors = 100;
    private const int MostInWords = 20;
    private const int LongestDetail = 1000;

    /// <summary>422, unless another status fits better, with every wrong field under <c>errors</c>; of very many, the first.</summary>
    public static ProblemHttpResult Fields(IReadOnlyList<FieldError> errors, int status = StatusCodes.Status422UnprocessableEntity) => TypedResults.Problem(
        string.Join(' ', errors.Take(MostInWords).Select(e => e.Message)),
        statusCode: status,
        title: errors.Count == 1 ? "A field is wrong." : $"{errors.Count} fields are wrong.",
        extensions: [KeyValuePair.Create("errors", (object?)errors.Take(MostErrors))]);

    public static ProblemHttpResult Field(string field, string value, string allowed) =>
        Fields([FieldError.Of(field, value, allowed)]);

    public static ProblemHttpResult NotFound(string detail) => Of(StatusCodes.Status404NotFound, detail);

    public static ProblemHttpResult Conflict(string detail) => Of(StatusCodes.Status409Conflict, detail);

    /// <summary>409: the writer's attempt is over, or was never its own. It must stop and send nothing more.</summary>
    public static ProblemHttpResult Fenced() => Conflict("This attempt is over: its epoch has passed, or another worker holds it. Stop it and send nothing more of it.");

    public static ProblemHttpResult Forbidden(string detail) => Of(StatusCodes.Status403Forbidden, detail);

    /// <summary>What no route of ours has answered: an address that there is not, a method or a type of body that it does not take.</summary>
    internal static ProblemHttpResult Unanswered(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        return response.StatusCode switch
        {
            StatusCodes.Status404NotFound => NotFound($"There is nothing at {request.Path}."),
            StatusCodes.Status405MethodNotAllowed => Of(response.StatusCode, $"{request.Path} takes no {request.Method}. Allowed: {response.Headers.Allow}."),
            StatusCodes.Status415UnsupportedMediaType => Fields(
                [new FieldError("Content-Type", request.ContentType ?? "", "application/json", $"Content-Type is {request.ContentType ?? "missing"}. Allowed: application/json.")], response.StatusCode),
            var status => Of(status, $"{request.Method} {request.Path} was answered {status}."),
        };
    }

    private static ProblemHttpResult Of(int status, string detail) => TypedResults.Problem(Words.Shorten(detail, LongestDetail), statusCode: status);
}

/// <summary>Turns exceptions that a caller or an operator can do something about into their problem+json.</summary>
internal sealed partial class ProblemHandler : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        var known = exception switch
        {
            BadHttpRequestException e => Problems.Fields([FieldOf(e, httpContext)], e.StatusCode),
            ProblemException e => TypedResults.Problem(e.Message, statusCode: e.Status),
            PostgresException { SqlState: PostgresErrorCodes.DiskFull } => TypedResults.Problem("The database's disk is full.", statusCode: StatusCodes.Status507InsufficientStorage),
            NpgsqlException { IsTransient: true } => TypedResults.Problem("The database does not answer. Try again in a moment.", statusCode: StatusCodes.Status503ServiceUnavailable),
            _ => null,
        };
        if (known is null)
        {
            return false;
        }

        await known.ExecuteAsync(httpContext);
        return true;
    }

    // The framework tells in a sentence alone which parameter it could not read.
    private static FieldError FieldOf(BadHttpRequestException e, HttpContext context)
    {
        if (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            string given = context.Request.ContentLength is { } length ? $"{Words.Number(length)} bytes long" : "too long", most = $"at most {Words.Number(HttpRules.MostBodyBytes)} bytes";
            return FieldError.Of("body", given, most);
        }

        if (Unread().Match(e.Message) is { Success: true } unread)
        {
            string allowed = unread.Groups["type"].Value switch
            {
                var type when type.Contains("Int", StringComparison.OrdinalIgnoreCase) || type.Contains("long", StringComparison.Ordinal) => "a whole number",
                var type when type.Contains("RunRef", StringComparison.Ordinal) => "an id, or a number such as r-17",
                var type => type,
            };
            return FieldError.Of(unread.Groups["name"].Value, unread.Groups["value"].Value, allowed, withoutValue: "empty");
        }

        string said = e.InnerException is System.Text.Json.JsonException json ? json.Message : e.Message;
        return new FieldError("body", "", "what the description says", $"The request cannot be read: {said}");
    }

    [GeneratedRegex("^Failed to bind parameter \"(?<type>.+) (?<name>[^ ]+)\" from \"(?<value>.*)\"\\.$", RegexOptions.Singleline)]
    private static partial Regex Unread();
}
