using Dapper;
using Hearth.Runs;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>A checkpoint of a queued run that is to be read again.</summary>
/// <param name="IsNext">It is the one that the run would go on from.</param>
/// <param name="AnyKept">The run has a good one.</param>
public sealed record OpenCheck(Guid RunId, long Step, string Status, string Reason, bool IsNext, bool AnyKept);

/// <summary>Runs that may not be placed because of their checkpoints, each with its reason.</summary>
public static class CheckpointHolds
{
    /// <summary>A statement of a batch, read by <see cref="ReadAsync"/>.</summary>
    internal const string Select =
        """
        select c.run_id, c.step, c.status, k.reason,
            coalesce(c.id = (select id from checkpoints where run_id = c.run_id and status = 'kept' order by step desc, created_at desc limit 1), false) as is_next, n.any_kept
        from checkpoint_checks k join checkpoints c on c.id = k.checkpoint_id join runs r on r.id = c.run_id and r.state = 'queued'
            cross join lateral (select exists (select 1 from checkpoints where run_id = c.run_id and status = 'kept') as any_kept) n
        """;

    /// <param name="rows">Of <see cref="Select"/>.</param>
    internal static async Task<IReadOnlyDictionary<Guid, string>> ReadAsync(SqlMapper.GridReader rows)
    {
        var open = await rows.ReadAsync<OpenCheck>();
        return open.GroupBy(c => c.RunId).Select(g => (g.Key, Why: Why([.. g]))).Where(h => h.Why is not null).ToDictionary(h => h.Key, h => h.Why!);
    }

    /// <summary>Why a run with these open checks waits; null when it need not. Pure.</summary>
    public static string? Why(IReadOnlyList<OpenCheck> open)
    {
        if (open.FirstOrDefault(c => c.IsNext) is { } next)
        {
            return $"Its checkpoint of step {Words.Number(next.Step)} is read again before the run goes on from it: {next.Reason}";
        }

        // To begin at step 0 would give up what may only be a folder that is not there yet.
        return open.Where(c => c is { Status: "missing", AnyKept: false }).MaxBy(c => c.Step) is { } lost
            ? $"Its checkpoint of step {Words.Number(lost.Step)} is missing from the store, and it has no other. It is looked for again and again; discard it to begin without it."
            : null;
    }
}
