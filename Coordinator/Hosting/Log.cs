namespace Hearth.Coordinator.Hosting;

/// <summary>Every message that the service logs, with ids that stay the same.</summary>
internal static partial class Log
{
    [LoggerMessage(100, LogLevel.Information, "{Caller} made the token {Name} with the role {Role}")]
    internal static partial void TokenCreated(this ILogger log, string caller, string name, string role);

    [LoggerMessage(101, LogLevel.Information, "{Caller} revoked the token {Id}")]
    internal static partial void TokenRevoked(this ILogger log, string caller, Guid id);

    [LoggerMessage(200, LogLevel.Warning, "Lost the connection that listens to the database; trying again: {Reason}")]
    internal static partial void ListenerLost(this ILogger log, string reason);

    [LoggerMessage(201, LogLevel.Warning, "Could not read new events; trying again: {Reason}")]
    internal static partial void FeedFailed(this ILogger log, string reason);
}
