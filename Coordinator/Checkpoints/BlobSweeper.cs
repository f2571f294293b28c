using Dapper;
using Hearth.Coordinator.Storage;
using Npgsql;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>Removes blobs that nothing uses, every quarter of an hour. Safe on any number of coordinators at once.</summary>
public sealed class BlobSweeper(NpgsqlDataSource database, IObjectStore store, TimeProvider clock, ILogger<BlobSweeper> log) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(15);

    // Tables whose rows refer to blobs; the foreign keys hold the same truth.
    private const string InUse =
        """
        (exists (select 1 from checkpoint_files r where r.sha256 = b.sha256)
            or exists (select 1 from prepared_files r where r.sha256 = b.sha256)
            or exists (select 1 from datasets r where r.sha256 = b.sha256)
            or exists (select 1 from attempts a where a.id = b.wanted_by and a.ended_at is null))
        """;

    /// <summary>One sweep.</summary>
    /// <returns>How many blobs went.</returns>
    public async Task<int> SweepAsync(CancellationToken stop)
    {
        var stored = new List<StoredBlob>();
        await foreach (var blob in store.ListAsync(stop))
        {
            stored.Add(blob);
        }

        await using var connection = await database.OpenConnectionAsync(stop);
        var known = (await connection.QueryAsync<KnownBlob>(new CommandDefinition(
            $"select b.sha256, b.wanted_at, {InUse} as in_use from blobs b", cancellationToken: stop))).ToList();
        int swept = 0;
        foreach (string sha256 in BlobGarbage.Choose(known, stored, clock.GetUtcNow()))
        {
            swept += await RemoveAsync(connection, sha256, stop) ? 1 : 0;
        }

        return swept;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                int swept = await SweepAsync(stoppingToken);
                if (swept > 0)
                {
                    log.LogInformation("Removed {Count} blobs that nothing uses", swept);
                }
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                log.LogWarning(e, "The sweep of unused blobs failed; the next one tries again");
            }
        }
    }

    // The row (made for strays) is locked from its check to the end of the deletion: whoever announces the blob meanwhile waits,
    // and finds it gone.
    private async Task<bool> RemoveAsync(NpgsqlConnection connection, string sha256, CancellationToken stop)
    {
        await using var transaction = await connection.BeginTransactionAsync(stop);
        await connection.ExecuteAsync(new CommandDefinition(
            "insert into blobs (sha256, wanted_at) values (@sha256, '-infinity') on conflict do nothing", new { sha256 }, transaction, cancellationToken: stop));
        bool mayGo = await connection.ExecuteAsync(new CommandDefinition(
            $"delete from blobs b where sha256 = @sha256 and wanted_at < @limit and not {InUse}",
            new { sha256, limit = clock.GetUtcNow() - BlobGarbage.Grace }, transaction, cancellationToken: stop)) > 0;
        if (mayGo)
        {
            await store.DeleteAsync(sha256, stop);
            await transaction.CommitAsync(stop);
        }

        return mayGo;
    }
}
