using System.Globalization;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;

namespace Hearth.Coordinator.Workers;

/// <summary>Tells agents this coordinator's version of the protocol, and refuses those that are more than one version away, before anything of a call is read.</summary>
internal static class ProtocolCheck
{
    /// <summary>Of every answer below a path, refusals and failures that no route had a say in among them. Goes before whatever may answer.</summary>
    public static void UseProtocolHeader(this WebApplication app, string path) => app.Use((context, next) =>
    {
        if (context.Request.Path.StartsWithSegments(path))
        {
            // Set late: whoever turns a fault into an answer clears the headers first.
            context.Response.OnStarting(() =>
            {
                context.Response.Headers[ProtocolVersion.Header] = ProtocolVersion.Current.ToString(CultureInfo.InvariantCulture);
                return Task.CompletedTask;
            });
        }

        return next(context);
    });

    public static void CheckProtocol(this RouteGroupBuilder worker) => worker.AddEndpointFilter(async (call, next) =>
    {
        string? said = call.HttpContext.Request.Headers[ProtocolVersion.Header];
        return ProtocolVersion.Parse(said) is not { } version ? Problems.Field(ProtocolVersion.Header, said!.Length > 40 ? $"{said.Length} characters long" : said, "a version number, from 1")
            : ProtocolVersion.Mismatch(version, ProtocolVersion.Current) is { } mismatch ? TypedResults.Problem(mismatch, statusCode: StatusCodes.Status426UpgradeRequired)
            : await next(call);
    });
}
