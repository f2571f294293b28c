using System.Security.Cryptography;
using System.Text;
using Hearth.Coordinator.Database;
using Hearth.Models;
using Hearth.Protocol;

namespace Hearth.Coordinator.Runs.Bench;

/// <summary>A run with a live attempt, which a worker may write to.</summary>
internal sealed record BenchRun(Guid Run, Guid Worker, Lease Lease);

/// <summary>Runs of a bench's own database, placed without a scheduler.</summary>
internal static class BenchRuns
{
    /// <param name="session">Of a migrated database.</param>
    /// <param name="count">How many; each on a device of its own of one worker.</param>
    /// <param name="steps">Of each run.</param>
    internal static async Task<IReadOnlyList<BenchRun>> PlaceAsync(DbSession session, int count, int steps)
    {
        var recipe = Families.Find("qovaryx")!.Recipe("nano");
        var spec = recipe with { Name = "bench", Train = recipe.Train with { Steps = steps } };
        var worker = Guid.CreateVersion7();
        BenchRun[] runs = [.. Enumerable.Range(0, count).Select(_ => new BenchRun(Guid.CreateVersion7(), worker, new Lease(Guid.CreateVersion7(), 1)))];
        await session.ExecuteAsync(
            """
            insert into workers (id, name, token_sha256, agent_version, devices) values (@worker, 'bench-' || @worker, @hash, 'bench', '[]');
            insert into runs (id, name, state, priority, spec, parameters, created_by, epoch)
            select id, 'bench', 'running', 1, @spec, 1, 'bench', 1 from unnest(@runs) as r (id);
            insert into attempts (id, run_id, number, epoch, worker_id, device_index, micro_batch, state, lease_ends_at)
            select id, run, 1, 1, @worker, place, 1, 'running', now() + interval '1 day' from unnest(@attempts, @runs) with ordinality as a (id, run, place)
            """,
            new
            {
                worker,
                hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{worker}")),
                spec = DapperTypes.Jsonb(spec),
                runs = runs.Select(r => r.Run).ToArray(),
                attempts = runs.Select(r => r.Lease.AttemptId).ToArray(),
            });
        return runs;
    }
}
