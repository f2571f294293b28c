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

    [LoggerMessage(202, LogLevel.Warning, "Could not look after requests to checkpoints; trying again: {Reason}")]
    internal static partial void KeeperFailed(this ILogger log, string reason);

    [LoggerMessage(300, LogLevel.Information, "{Caller} made a join code")]
    internal static partial void JoinCodeCreated(this ILogger log, string caller);

    [LoggerMessage(301, LogLevel.Information, "The worker {Name} joined with {Devices} devices")]
    internal static partial void WorkerJoined(this ILogger log, string name, int devices);

    [LoggerMessage(302, LogLevel.Information, "{Caller} removed the worker {Id}")]
    internal static partial void WorkerRemoved(this ILogger log, string caller, Guid id);

    [LoggerMessage(303, LogLevel.Warning, "The device list of the worker {Name} contradicts itself and is set aside until it sends another: {Problem}")]
    internal static partial void DevicesSetAside(this ILogger log, string name, string problem);

    [LoggerMessage(400, LogLevel.Information, "This coordinator runs the scheduler: term {Term} began")]
    internal static partial void TermBegan(this ILogger log, long term);

    [LoggerMessage(401, LogLevel.Warning, "This coordinator no longer runs the scheduler, and what it was about to apply is dropped: {Reason}")]
    internal static partial void TermOver(this ILogger log, string reason);

    [LoggerMessage(402, LogLevel.Debug, "Dropped {Command}: the world has moved on")]
    internal static partial void CommandDropped(this ILogger log, string command);

    [LoggerMessage(403, LogLevel.Error, "A scheduling cycle failed; the next one starts anew")]
    internal static partial void CycleFailed(this ILogger log, Exception e);

    [LoggerMessage(410, LogLevel.Warning, "The scheduler does not answer; trying again: {Reason}")]
    internal static partial void SchedulerNotReached(this ILogger log, string reason);

    [LoggerMessage(411, LogLevel.Debug, "A wake was not sent: {Reason}")]
    internal static partial void WakeLost(this ILogger log, string reason);

    [LoggerMessage(412, LogLevel.Debug, "The wait of a held sync was cut short: {Reason}")]
    internal static partial void WaitLost(this ILogger log, string reason);

    [LoggerMessage(413, LogLevel.Debug, "The database's clock was not read; the last reading holds: {Reason}")]
    internal static partial void ClockFailed(this ILogger log, string reason);

    [LoggerMessage(500, LogLevel.Warning, "The object store is away: {Reason}")]
    internal static partial void StoreAway(this ILogger log, string reason);

    [LoggerMessage(501, LogLevel.Information, "The object store is back")]
    internal static partial void StoreBack(this ILogger log);

    [LoggerMessage(502, LogLevel.Warning, "The checkpoint {Id} could not be read, and is tried again: {Reason}")]
    internal static partial void CheckPostponed(this ILogger log, Guid id, string reason);

    [LoggerMessage(503, LogLevel.Error, "A check of a checkpoint failed; it is tried again")]
    internal static partial void CheckFailed(this ILogger log, Exception e);

    [LoggerMessage(600, LogLevel.Warning, "The job {Name} failed; its next turn tries again: {Reason}")]
    internal static partial void JobFailed(this ILogger log, string name, string reason);

    [LoggerMessage(610, LogLevel.Information, "The import of {Name} ended as {State}: {Reason}")]
    internal static partial void Imported(this ILogger log, string name, string state, string reason);

    [LoggerMessage(611, LogLevel.Warning, "Could not tell how far the import {Id} is: {Reason}")]
    internal static partial void ImportUnheard(this ILogger log, Guid id, string reason);

    [LoggerMessage(700, LogLevel.Error, "A look of the sweep {Id} failed; the next one starts anew")]
    internal static partial void SweepFailed(this ILogger log, Exception e, Guid id);

    [LoggerMessage(701, LogLevel.Warning, "Running sweeps were not found; trying again: {Reason}")]
    internal static partial void SweepsNotFound(this ILogger log, string reason);
}
