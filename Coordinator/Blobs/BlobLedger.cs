using Hearth.Coordinator.Database;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Blobs;

/// <summary>
/// What this pool has put into the store. A blob counts as stored when the store has it with the right length and nobody found it
/// damaged; of a damaged one only a new reading by the coordinator says that it is whole again.
/// </summary>
public sealed class BlobLedger(NpgsqlDataSource database, IObjectStore store, BlobUploads uploads)
{
    /// <summary>How long an address to read from is valid: an agent may wait out an outage with it.</summary>
    public static readonly TimeSpan GetLife = TimeSpan.FromHours(24);

    /// <summary>Condition on <c>blobs b</c>: something that lives names the blob. The foreign keys hold the same truth.</summary>
    public const string Referred =
        """
        (exists (select 1 from checkpoint_files r where r.sha256 = b.sha256)
            or exists (select 1 from prepared_files r where r.sha256 = b.sha256)
            or exists (select 1 from datasets r where r.sha256 = b.sha256)
            or exists (select 1 from dataset_upload_parts r where r.sha256 = b.sha256))
        """;

    /// <summary>Announces blobs of a live attempt, so that they are spared until they are referred to. False = fenced.</summary>
    public async Task<bool> AnnounceAsync(Lease lease, Guid worker, IReadOnlyList<FileRef> files, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.SingleAsync<bool>(
            $"""
            with live as ({Fence.LiveRun}),
            wanted as (
                insert into blobs (sha256, wanted_by)
                select f, live.attempt_id from live cross join unnest(@shas) f order by f
                on conflict (sha256) do update set wanted_at = now(), wanted_by = excluded.wanted_by, quarantined_at = null)
            select exists (select 1 from live)
            """,
            new { attempt = lease.AttemptId, epoch = lease.Epoch, worker, shas = Shas(files) });
    }

    /// <summary>Stores a blob of the coordinator's own, unless the store has it. Announced first, so that no sweep takes it for unused.</summary>
    /// <exception cref="StoreFullException">There is no room.</exception>
    public async Task PutAsync(FileRef file, Stream content, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            "insert into blobs (sha256) values (@Sha256) on conflict (sha256) do update set wanted_at = now(), quarantined_at = null", new { file.Sha256 });
        if ((await MissingAsync([file], stop)).Count > 0)
        {
            await WritingAsync(session, [file.Sha256]);
            await store.PutAsync(file.Sha256, content, stop);
        }
    }

    /// <summary>Those of the files whose blobs must be sent, because the store lacks them or has them damaged.</summary>
    public async Task<IReadOnlyList<FileRef>> MissingAsync(IReadOnlyList<FileRef> files, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var damaged = (await session.QueryAsync<string>(
            "select sha256 from blobs where sha256 = any(@shas) and damaged_at is not null", new { shas = Shas(files) })).ToHashSet(StringComparer.Ordinal);
        var missing = new List<FileRef>();
        foreach (var file in files)
        {
            var found = await store.StatAsync(file.Sha256, stop);
            if (found is null || found.Bytes != file.Bytes || (damaged.Contains(file.Sha256) && !await IsMendedAsync(session, file)))
            {
                missing.Add(file);
            }
        }

        return missing;
    }

    /// <summary>How to send those files that are missing; the others come back without parts.</summary>
    public async Task<IReadOnlyList<UploadTicket>> TicketsAsync(Guid attempt, IReadOnlyList<FileRef> files, CancellationToken stop)
    {
        var missing = (await MissingAsync(files, stop)).Select(f => f.Sha256).ToHashSet(StringComparer.Ordinal);
        await using var session = await DbSession.OpenAsync(database, stop);
        await WritingAsync(session, [.. missing]);
        var tickets = new List<UploadTicket>();
        foreach (var file in files.DistinctBy(f => f.Sha256))
        {
            tickets.Add(missing.Contains(file.Sha256) ? await uploads.TicketAsync(attempt, file, stop) : new UploadTicket(file.Sha256, []));
        }

        return tickets;
    }

    /// <summary>The files with addresses to read them from.</summary>
    public async Task<IReadOnlyList<BlobRef>> SignAsync(IEnumerable<FileRef> files)
    {
        var refs = new List<BlobRef>();
        foreach (var file in files)
        {
            refs.Add(new BlobRef(file.Name, file.Sha256, file.Bytes, await store.SignGetAsync(file.Sha256, GetLife)));
        }

        return refs;
    }

    /// <summary>True while the attempt of the lease lives and is this worker's.</summary>
    public async Task<bool> IsLiveAsync(Lease lease, Guid worker, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.SingleAsync<bool>(
            $"select {Fence.LiveAttempt}", new { attempt = lease.AttemptId, epoch = lease.Epoch, worker });
    }

    /// <summary>Sorted, so that two writers lock rows in the same order.</summary>
    internal static string[] Shas(IEnumerable<FileRef> files) => [.. files.Select(f => f.Sha256).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    // From here on the bytes under this name are this pool's own, and a sweep may delete them once nothing names them. What the store
    // had before this pool wrote is never deleted.
    private static Task WritingAsync(DbSession session, string[] shas) => session.ExecuteAsync(
        "update blobs set written_at = now() where sha256 in (select sha256 from blobs where sha256 = any(@shas) order by sha256 for update)", new { shas });

    private async Task<bool> IsMendedAsync(DbSession session, FileRef file)
    {
        if (await BlobReading.ReadAsync(store, file, session.Stop) is not BlobReading.Whole)
        {
            return false;
        }

        await session.ExecuteAsync("update blobs set damaged_at = null where sha256 = @Sha256", new { file.Sha256 });
        return true;
    }
}
