using Hearth.Api;
using Hearth.Coordinator.Database;
using Npgsql;

namespace Hearth.Coordinator.Blobs;

/// <summary>
/// Removes blobs that nothing uses, in two steps: unused for an hour, a blob is quarantined, which changes nothing but its row; unused
/// for a day more, it is deleted. Only what this pool wrote itself is ever deleted; what the store holds beside that is left alone.
/// Safe on any number of coordinators at once.
/// </summary>
public sealed class BlobSweeper(NpgsqlDataSource database, IObjectStore store, BlobUploads uploads, StoreKeeper keeper)
{
    /// <summary>An upload that was announced has this long to be referred to.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromHours(1);

    /// <summary>A quarantined blob has this long to be wanted after all.</summary>
    public static readonly TimeSpan Quarantine = TimeSpan.FromHours(24);
    private const int MostAtOnce = 1000;

    private const string InUse = $"({BlobLedger.Referred} or exists (select 1 from attempts a where a.id = b.wanted_by and a.ended_at is null))";
    private const string Unused = $"b.quarantined_at is null and b.wanted_at < now() - make_interval(secs => @grace) and not {InUse}";
    private const string Over = $"b.quarantined_at < now() - make_interval(secs => @quarantine) and not {InUse}";

    private static object Times => new { grace = Grace.TotalSeconds, quarantine = Quarantine.TotalSeconds };

    /// <summary>What a sweep would do now, and what it would leave alone. Changes nothing.</summary>
    /// <exception cref="StoreAwayException">The store is not there, or not this pool's.</exception>
    public async Task<BlobSweepView> PreviewAsync(CancellationToken stop)
    {
        await keeper.ConfirmAsync(stop);
        await using var session = await DbSession.OpenAsync(database, stop);
        var rows = (await session.QueryAsync<Row>(
            $"select b.sha256, b.written_at is not null as written, {Unused} as unused, {Over} as over from blobs b", Times))
            .ToDictionary(r => r.Sha256, StringComparer.Ordinal);
        var preview = new BlobSweepView { DryRun = true, Store = store.Name };
        await foreach (var blob in store.ListAsync(stop))
        {
            preview = rows.GetValueOrDefault(blob.Sha256) switch
            {
                null => preview with { Unknown = preview.Unknown.And(blob.Bytes) },
                { Written: false } => preview with { NotOurs = preview.NotOurs.And(blob.Bytes) },
                { Unused: true } => preview with { Quarantined = preview.Quarantined.And(blob.Bytes) },
                { Over: true } => preview with { Deleted = preview.Deleted.And(blob.Bytes) },
                _ => preview with { Kept = preview.Kept.And(blob.Bytes) },
            };
        }

        return preview;
    }

    /// <summary>One sweep.</summary>
    /// <exception cref="StoreAwayException">The store is not there, or not this pool's.</exception>
    public async Task<BlobSweepView> SweepAsync(CancellationToken stop)
    {
        await keeper.ConfirmAsync(stop);
        await uploads.AbandonAsync(stop);
        await using var session = await DbSession.OpenAsync(database, stop);
        int quarantined = await session.ExecuteAsync($"update blobs b set quarantined_at = now() where {Unused}", Times);
        await session.ExecuteAsync($"update blobs b set quarantined_at = null where quarantined_at is not null and {InUse}");
        var over = await session.QueryAsync<string>(
            $"select b.sha256 from blobs b where {Over} order by b.quarantined_at limit {MostAtOnce}", Times);
        var deleted = default(BlobCount);
        foreach (string sha256 in over.ToList())
        {
            deleted = await RemoveAsync(sha256, stop) is { } bytes ? deleted.And(bytes) : deleted;
        }

        return new BlobSweepView { Store = store.Name, Quarantined = new BlobCount(quarantined, 0), Deleted = deleted };
    }

    // The row is locked from its check to the end of the deletion: whoever announces the blob meanwhile waits, and finds it gone.
    private async Task<long?> RemoveAsync(string sha256, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);

        // The store is asked within the transaction, and may take longer than a coordinator is allowed to be silent.
        await session.ExecuteAsync("set local idle_in_transaction_session_timeout = '1min'");
        bool? written = await session.FindAsync<bool?>(
            $"delete from blobs b where sha256 = @sha256 and b.quarantined_at < now() - make_interval(secs => @quarantine) and not {InUse} returning written_at is not null",
            new { sha256, quarantine = Quarantine.TotalSeconds });
        long? bytes = null;
        if (written == true)
        {
            bytes = (await store.StatAsync(sha256, stop))?.Bytes;
            await store.DeleteAsync(sha256, stop);
        }

        await session.CommitAsync();
        return bytes;
    }

    private sealed record Row(string Sha256, bool Written, bool? Unused, bool? Over);
}
