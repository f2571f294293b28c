using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>The agent cannot go on as this worker; a person must act. Its message says how.</summary>
public sealed class RefusedException(string message) : Exception(message);

/// <summary>Gives the agent its identity: from its home, or for a one-time code from the coordinator.</summary>
public static class Joining
{
    /// <exception cref="UsageException">Not joined, and no code or address to join with.</exception>
    /// <exception cref="RefusedException">The coordinator does not take the code.</exception>
    public static async Task<WorkerIdentity> IdentityAsync(
        AgentOptions options, AgentHome home, IReadOnlyList<Hardware.DeviceInfo> devices, AgentTimings timings, AgentLog log, CancellationToken cancel)
    {
        if (home.ReadIdentity() is { } known)
        {
            if (options.Coordinator is { } moved && moved != known.Coordinator)
            {
                known = known with { Coordinator = moved };
                NoteMove(home, known, log);
            }

            if (options.JoinCode is not null)
            {
                log.Info($"{home.Root} has joined already, as {known.Name}: the join code is not used. To join another pool, give it another --home.");
            }

            return known;
        }

        var address = options.Coordinator ?? throw new UsageException($"{home.Root} holds no token, and --coordinator is missing. Allowed: the address that the dashboard's pool page shows.");
        string code = options.JoinCode ?? throw new UsageException($"{home.Root} holds no token, and --join is missing. Allowed: a one-time code from the dashboard's pool page.");
        using var client = new CoordinatorClient(address, token: null);
        for (int failures = 1; ; failures++)
        {
            try
            {
                var joined = await client.JoinAsync(new JoinRequest(code, options.Name, AgentInfo.Version, devices), cancel);
                var identity = new WorkerIdentity(address, joined.WorkerId, joined.Name, joined.Token);
                await KeepAsync(home, identity, timings, log, cancel);
                log.Info($"joined {address} as {identity.Name}");
                return identity;
            }
            catch (CoordinatorException e) when (e.IsTransient)
            {
                if (failures == 1)
                {
                    log.Warn($"{e.Message}; trying again until it answers");
                }

                await Task.Delay(timings.Retry(failures), cancel);
            }
            catch (CoordinatorException e)
            {
                throw new RefusedException($"{address} did not take the join code: {e.Message}. A code works once and for a short time; make a new one on the dashboard's pool page.");
            }
        }
    }

    // The code is spent: a token that is lost here is lost to this home, so it waits for room.
    private static async Task KeepAsync(AgentHome home, WorkerIdentity identity, AgentTimings timings, AgentLog log, CancellationToken cancel)
    {
        for (int failures = 1; ; failures++)
        {
            try
            {
                home.WriteIdentity(identity);
                return;
            }
            catch (IOException e)
            {
                if (failures == 1)
                {
                    log.Error($"joined as {identity.Name}, but its token cannot be written ({e.Message}). It waits for room in {home.Root}; ended before, this agent has to join again with a new code.");
                }

                await Task.Delay(timings.Retry(failures), cancel);
            }
        }
    }

    // The option says it at each start, so that no start depends on the note.
    private static void NoteMove(AgentHome home, WorkerIdentity moved, AgentLog log)
    {
        try
        {
            home.WriteIdentity(moved);
        }
        catch (IOException e)
        {
            log.Warn($"the new address {moved.Coordinator} could not be noted in {home.Root}: {e.Message}");
        }
    }
}
