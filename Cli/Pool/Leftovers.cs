namespace Hearth.Cli.Pool;

/// <summary>A process of an <c>up</c> that was killed, and how it is stopped.</summary>
internal sealed record Leftover(string Name, ProcessMark Process, int Signal, TimeSpan Grace);

/// <summary>What a killed <c>up</c> left running, found by process id and start time.</summary>
internal static class Leftovers
{
    // An agent is given the time to checkpoint; a trainer without its agent has nobody to send a checkpoint to.
    private static readonly (string Name, int Signal, TimeSpan Grace)[] Order =
    [
        ("agent", Signals.Terminate, TimeSpan.FromSeconds(30)),
        ("coordinator", Signals.Terminate, TimeSpan.FromSeconds(10)),
        ("postgres", Signals.Interrupt, TimeSpan.FromSeconds(30)),
    ];

    /// <summary>What is to be stopped, in order: agent, its trainers, coordinator, database. Pure.</summary>
    /// <param name="children">What was recorded, by name.</param>
    /// <param name="trainers">Trainers that the agent recorded.</param>
    /// <param name="isAlive">Whether that very process, not one that took its id, still runs.</param>
    public static IReadOnlyList<Leftover> Of(IReadOnlyDictionary<string, ProcessMark> children, IReadOnlyList<ProcessMark> trainers, Func<ProcessMark, bool> isAlive)
    {
        var found = Order
            .Where(o => children.TryGetValue(o.Name, out var mark) && isAlive(mark))
            .Select(o => new Leftover(o.Name, children[o.Name], o.Signal, o.Grace))
            .ToList();
        int afterAgent = found.Count > 0 && found[0].Name == "agent" ? 1 : 0;
        found.InsertRange(afterAgent, trainers.Where(isAlive).Select(t => new Leftover("trainer", t, Signals.Terminate, TimeSpan.FromSeconds(10))));
        return found;
    }

    public static async Task StopAsync(PoolFolder folder, Action<string> say)
    {
        var left = Of(folder.OldChildren, folder.Trainers(), mark => mark.IsAlive());
        if (folder.Leftover is { } holder)
        {
            string parts = left.Count == 0 ? "nothing of it still runs" : "stopping what it left: " + string.Join(", ", left.Select(l => $"{l.Name} ({l.Process.Id})"));
            say($"The ./hearth up before this one (process {holder.Process.Id}) was killed; {parts}.");
        }

        foreach (var one in left)
        {
            await Signals.StopAsync(one.Process, one.Signal, one.Grace);
        }
    }
}
