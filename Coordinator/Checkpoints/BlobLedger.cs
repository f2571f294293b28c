using Dapper;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Storage;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>
/// What the store is to hold. A blob counts as stored when the store has it with the right length, written after anybody last
/// found it damaged.
/// </summary>
public sealed class BlobLedger(NpgsqlDataSource database, IObjectStore store)
{
    /// <summary>How long an address to write to is valid. A transfer that began in time may take longer.</summary>
    public static readonly TimeSpan PutLife = TimeSpan.FromHours(1);

    /// <summary>How long an address to read from is valid: an agent may wait out an outage with it.</summary>
    public static readonly TimeSpan GetLife = TimeSpan.FromHours(24);

    /// <summary>Announces blobs of a live attempt, so that they are spared until they are referred to. False = fenced.</summary>
    public async Task<bool> AnnounceAsync(Lease lease, Guid worker, IReadOnlyList<FileRef> files, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        return await connection.ExecuteScalarAsync<bool>(new CommandDefinition(
            $"""
            with live as ({Fence.LiveRun}),
            wanted as (
                insert into blobs (sha256, wanted_by)
                select f, live.attempt_id from live cross join unnest(@shas) f order by f
                on conflict (sha256) do update set wanted_at = now(), wanted_by = excluded.wanted_by)
            select exists (select 1 from live)
            """,
            new { attempt = lease.AttemptId, epoch = lease.Epoch, worker, shas = Shas(files) },
            cancellationToken: stop));
    }

    /// <summary>Announces a blob that the coordinator itself is about to store.</summary>
    public async Task AnnounceAsync(string sha256, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        await connection.ExecuteAsync(new CommandDefinition(
            "insert into blobs (sha256) values (@sha256) on conflict (sha256) do update set wanted_at = now()", new { sha256 }, cancellationToken: stop));
    }

    /// <summary>Those of the files whose blobs must be sent, because the store lacks them or has them damaged.</summary>
    public async Task<IReadOnlyList<FileRef>> MissingAsync(IReadOnlyList<FileRef> files, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        var suspects = (await connection.QueryAsync<Suspect>(new CommandDefinition(
            "select sha256, suspect_at from blobs where sha256 = any(@shas) and suspect_at is not null", new { shas = Shas(files) }, cancellationToken: stop)))
            .ToDictionary(s => s.Sha256, s => s.SuspectAt, StringComparer.Ordinal);
        var missing = new List<FileRef>();
        foreach (var file in files)
        {
            var found = await store.StatAsync(file.Sha256, stop);
            if (found is null || found.Bytes != file.Bytes || (suspects.TryGetValue(file.Sha256, out var at) && found.ModifiedAt <= at))
            {
                missing.Add(file);
            }
        }

        return missing;
    }

    /// <summary>Addresses to write those files to that are missing; the others come back without one.</summary>
    public async Task<IReadOnlyList<UploadTicket>> TicketsAsync(IReadOnlyList<FileRef> files, CancellationToken stop)
    {
        var missing = (await MissingAsync(files, stop)).Select(f => f.Sha256).ToHashSet(StringComparer.Ordinal);
        var tickets = new List<UploadTicket>();
        foreach (var file in files.DistinctBy(f => f.Sha256))
        {
            tickets.Add(new UploadTicket(file.Sha256, missing.Contains(file.Sha256) ? await store.SignPutAsync(file.Sha256, file.Bytes, PutLife) : null));
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
        await using var connection = await database.OpenConnectionAsync(stop);
        return await connection.ExecuteScalarAsync<bool>(new CommandDefinition(
            $"select {Fence.LiveAttempt}", new { attempt = lease.AttemptId, epoch = lease.Epoch, worker }, cancellationToken: stop));
    }

    /// <summary>Sorted, so that two writers lock rows in the same order.</summary>
    internal static string[] Shas(IEnumerable<FileRef> files) => [.. files.Select(f => f.Sha256).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private sealed record Suspect(string Sha256, DateTimeOffset SuspectAt);
}
