namespace Hearth.Agent;

/// <summary>Every wait of the agent in one place, so that tests can shorten them.</summary>
public sealed record AgentTimings
{
    /// <summary>How long the coordinator may hold a sync; below the 2 s heartbeat.</summary>
    public TimeSpan SyncWait { get; init; } = TimeSpan.FromMilliseconds(1800);

    /// <summary>Points and log lines are gathered this long into one request.</summary>
    public TimeSpan Batch { get; init; } = TimeSpan.FromMilliseconds(400);

    /// <summary>Least time between two batches of a request's events: what a person takes for at once.</summary>
    public TimeSpan TokenBatch { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a model that nobody asks stays loaded.</summary>
    public TimeSpan ModelIdle { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>From the stop command to the kill of a trainer that does not stop.</summary>
    public TimeSpan StopGrace { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the end of a dead trainer waits for its uploads and the next batch of its buffers: the run is to move on within a heartbeat.</summary>
    public TimeSpan LostDrain { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>How long it waits in all while batch after batch is taken; shorter than a lease, which nothing renews before an agent's first report.</summary>
    public TimeSpan LongestDrain { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Between two looks at what is being waited for.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>From the agent's own stop signal to its exit.</summary>
    public TimeSpan Shutdown { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>First and longest pause between tries while the coordinator is away.</summary>
    public TimeSpan FirstRetry { get; init; } = TimeSpan.FromMilliseconds(150);
    public TimeSpan LastRetry { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Longest pause while something refuses this worker: a person must act, and no one is flooded meanwhile.</summary>
    public TimeSpan LastRefusal { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Least time between two answers with nothing in them: a coordinator that does not hold the call is not flooded.</summary>
    public TimeSpan EmptyAnswer { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Tries of one upload that the store answers with an error, before the checkpoint is given up.</summary>
    public int UploadTries { get; init; } = 5;

    /// <summary>Tries of one batch over which the coordinator fails, before the batch is set aside.</summary>
    public int FaultTries { get; init; } = 30;

    /// <summary>How long a run's last checkpoint waits for room in the store, its trainer gone and its device held.</summary>
    public TimeSpan RoomWait { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>The pause before try <paramref name="failures"/> + 1: doubled each time, up to a third taken off at random.</summary>
    public TimeSpan Retry(int failures, bool refused = false)
    {
        var longest = Math.Min((refused ? LastRefusal : LastRetry).TotalMilliseconds, FirstRetry.TotalMilliseconds * Math.Pow(2, Math.Min(failures - 1, 20)));
        return TimeSpan.FromMilliseconds(longest * (1 - (Random.Shared.NextDouble() / 3)));
    }
}
