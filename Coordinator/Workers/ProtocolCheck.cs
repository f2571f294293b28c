using System.Globalization;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;

namespace Hearth.Coordinator.Workers;

/// <summary>Refuses agents that are more than one version of the protocol away, before anything of a call is read.</summary>
internal static class ProtocolCheck
{
    public static void CheckProtocol(this RouteGroupBuilder worker) => worker.AddEndpointFilter(async (call, next) =>
    {
        call.HttpContext.Response.Headers[ProtocolVersion.Header] = ProtocolVersion.Current.ToString(CultureInfo.InvariantCulture);
        string? said = call.HttpContext.Request.Headers[ProtocolVersion.Header];
        return ProtocolVersion.Parse(said) is not { } version ? Problems.Field(ProtocolVersion.Header, said!.Length > 40 ? $"{said.Length} characters long" : said, "a version number, from 1")
            : ProtocolVersion.Mismatch(version, ProtocolVersion.Current) is { } mismatch ? TypedResults.Problem(mismatch, statusCode: StatusCodes.Status426UpgradeRequired)
            : await next(call);
    });
}
