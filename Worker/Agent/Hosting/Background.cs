namespace Hearth.Agent;

/// <summary>Work that nobody waits for is watched all the same.</summary>
public static class Background
{
    /// <summary>Tells of a fault that the work should not have had.</summary>
    /// <param name="work">Goes on by itself.</param>
    /// <param name="log">Where it is told.</param>
    /// <param name="what">It, for people.</param>
    public static void Watch(this Task work, AgentLog log, string what) => work.ContinueWith(
        failed => log.Error($"{what}: {failed.Exception!.GetBaseException()}"), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
