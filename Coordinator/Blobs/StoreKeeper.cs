using Hearth.Coordinator.Database;
using Npgsql;

namespace Hearth.Coordinator.Blobs;

/// <summary>Compares the mark of the store with the pool's identity in the database, and sets it where that is right.</summary>
public sealed class StoreKeeper(NpgsqlDataSource database, IObjectStore store, StoreSettings settings, ILogger<StoreKeeper> log)
{
    private const int Sample = 200;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>Looks now. A store that is to be marked is marked.</summary>
    /// <param name="adopt">Whether <c>HEARTH_ADOPT_STORE</c> counts: at a start only, or a disk that falls off later would be given up for its mount point.</param>
    /// <param name="stop">Ends the look.</param>
    /// <returns>Ours, Away or Refused.</returns>
    public async Task<StoreClaim> LookAsync(bool adopt, CancellationToken stop)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limited.CancelAfter(Limit);
        try
        {
            return await ClaimAsync(adopt ? settings.Adopt : null, limited.Token);
        }
        catch (StoreAwayException e)
        {
            return new StoreClaim.Away(e.Message);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return new StoreClaim.Away($"The object store ({store.Name}) did not answer within {Limit.TotalSeconds:0} s.");
        }
    }

    /// <summary>Ends well only if the store is there and this pool's, now.</summary>
    /// <exception cref="StoreAwayException">It is not; the message says why.</exception>
    public async Task ConfirmAsync(CancellationToken stop)
    {
        string? reason = await LookAsync(adopt: false, stop) switch
        {
            StoreClaim.Away away => away.Reason,
            StoreClaim.Refused refused => refused.Reason,
            _ => null,
        };
        if (reason is not null)
        {
            throw new StoreAwayException(reason);
        }
    }

    private async Task<StoreClaim> ClaimAsync(string? adopt, CancellationToken stop)
    {
        var (pool, markedAt) = await PoolAsync(stop);
        var found = await store.IdentityAsync(stop);
        if (found?.Pool == pool && markedAt is not null)
        {
            return new StoreClaim.Ours();
        }

        var claim = StoreClaim.Decide(await FactsAsync(pool, markedAt is not null, found, stop) with { Adopt = adopt }, store.Name);
        if (claim is StoreClaim.Mark)
        {
            await MarkAsync(pool, found, stop);
            return new StoreClaim.Ours();
        }

        if (claim is StoreClaim.Ours)
        {
            await RememberAsync(stop);
        }

        return claim;
    }

    private async Task<(Guid Id, DateTime? StoreMarkedAt)> PoolAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.SingleAsync<(Guid, DateTime?)>("select id, store_marked_at from pool");
    }

    private async Task<StoreFacts> FactsAsync(Guid pool, bool marked, StoreIdentity? found, CancellationToken stop)
    {
        var some = new List<string>();
        await foreach (var blob in store.ListAsync(stop))
        {
            some.Add(blob.Sha256);
            if (some.Count == Sample)
            {
                break;
            }
        }

        await using var session = await DbSession.OpenAsync(database, stop);
        var (knows, needs) = await session.SingleAsync<(bool, bool)>(
            $"select exists (select 1 from blobs where sha256 = any(@some)), exists (select 1 from blobs b where {BlobLedger.Referred})",
            new { some = some.ToArray() });
        return new StoreFacts(pool, marked, found, some.Count > 0, knows, needs, null);
    }

    private async Task MarkAsync(Guid pool, StoreIdentity? before, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var now = await session.SingleAsync<DateTime>("select now()");
        await store.MarkAsync(new StoreIdentity(pool, new DateTimeOffset(now, TimeSpan.Zero)), stop);
        if ((await store.IdentityAsync(stop))?.Pool is var marked && marked != pool)
        {
            throw new StoreAwayException($"The object store ({store.Name}) was marked by the pool {marked} at the same moment.");
        }

        await RememberAsync(stop);
        log.LogInformation("The object store ({Store}) is now marked as the pool {Pool}'s{Before}", store.Name, pool, before is null ? "" : $"; it was the pool {before.Pool}'s");
    }

    private async Task RememberAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync("update pool set store_marked_at = coalesce(store_marked_at, now())");
    }
}
