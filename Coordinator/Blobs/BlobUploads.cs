using Hearth.Coordinator.Database;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Blobs;

/// <summary>What became of the end of an upload.</summary>
public enum UploadEnd
{
    /// <summary>The store has the blob.</summary>
    Done,

    /// <summary>The parts were not the blob.</summary>
    Wrong,

    /// <summary>There is no such upload any more.</summary>
    Unknown,
}

/// <summary>
/// Uploads that agents are at. One in parts is a row, so that whoever asks again, after a broken connection or of a coordinator that was
/// restarted, goes on with the same upload.
/// </summary>
public sealed class BlobUploads(NpgsqlDataSource database, IObjectStore store, StoreSettings settings)
{
    /// <summary>How long an address to write to is valid. A transfer that began in time may take longer.</summary>
    public static readonly TimeSpan PutLife = TimeSpan.FromHours(1);

    /// <summary>How to send a blob that the store lacks.</summary>
    public async Task<UploadTicket> TicketAsync(Guid attempt, FileRef file, CancellationToken stop)
    {
        if (file.Bytes <= settings.PartBytes)
        {
            return await store.SignPutAsync(file.Sha256, file.Bytes, PutLife);
        }

        await using var session = await DbSession.OpenAsync(database, stop);
        var begun = await FindAsync(session, attempt, file.Sha256);
        if (begun is null || begun.Bytes != file.Bytes)
        {
            var fresh = await store.BeginAsync(file.Sha256, stop);
            await session.ExecuteAsync(
                """
                insert into uploads (attempt_id, sha256, upload, bytes, part_bytes) values (@attempt, @Sha256, @Id, @Bytes, @PartBytes)
                on conflict (attempt_id, sha256) do update set upload = excluded.upload, bytes = excluded.bytes, part_bytes = excluded.part_bytes, begun_at = now()
                """,
                new { attempt, file.Sha256, fresh.Id, file.Bytes, settings.PartBytes });
            begun = new Begun(fresh.Id, file.Bytes, settings.PartBytes);
        }

        return await store.SignPartsAsync(new PartsUpload(file.Sha256, begun.Upload), PartLayout.Of(file.Bytes, begun.PartBytes), PutLife);
    }

    /// <summary>Makes a blob of the parts of an attempt's upload. Asked again, it answers the same.</summary>
    /// <exception cref="StoreFullException">There is no room.</exception>
    public async Task<UploadEnd> FinishAsync(UploadFinish finish, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var begun = await FindAsync(session, finish.Lease.AttemptId, finish.Sha256);
        if (begun is null || begun.Upload != finish.UploadId)
        {
            // The answer to an earlier call may have been lost; what counts is checked again when the blob is referred to.
            return await store.StatAsync(finish.Sha256, stop) is not null ? UploadEnd.Done : UploadEnd.Unknown;
        }

        var end = await EndAsync(new PartsUpload(finish.Sha256, finish.UploadId), finish.Parts, begun.Bytes, stop);
        await session.ExecuteAsync(
            "delete from uploads where attempt_id = @AttemptId and sha256 = @Sha256 and upload = @UploadId",
            new { finish.Lease.AttemptId, finish.Sha256, finish.UploadId });
        return end;
    }

    /// <summary>Gives up what attempts that are over have left, so that the store need not keep the parts.</summary>
    public async Task<int> AbandonAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var left = (await session.QueryAsync<(Guid Attempt, string Sha256, string Upload)>(
            "select u.attempt_id, u.sha256, u.upload from uploads u join attempts a on a.id = u.attempt_id where a.ended_at < now() - make_interval(secs => @seconds)",
            new { seconds = PutLife.TotalSeconds })).ToList();
        foreach (var (attempt, sha256, upload) in left)
        {
            await store.AbandonAsync(new PartsUpload(sha256, upload), stop);
            await session.ExecuteAsync("delete from uploads where attempt_id = @attempt and sha256 = @sha256", new { attempt, sha256 });
        }

        return left.Count;
    }

    private async Task<UploadEnd> EndAsync(PartsUpload upload, IReadOnlyList<PartReceipt> parts, long bytes, CancellationToken stop)
    {
        try
        {
            await store.FinishAsync(upload, parts, stop);
        }
        catch (WrongContentException)
        {
            return UploadEnd.Wrong;
        }
        catch (UnknownUploadException)
        {
            // Finished by a call whose answer was lost, perhaps.
        }

        return await store.StatAsync(upload.Sha256, stop) is not { } found ? UploadEnd.Unknown : found.Bytes == bytes ? UploadEnd.Done : UploadEnd.Wrong;
    }

    private static Task<Begun?> FindAsync(DbSession session, Guid attempt, string sha256) =>
        session.FindAsync<Begun>(
            "select upload, bytes, part_bytes from uploads where attempt_id = @attempt and sha256 = @sha256", new { attempt, sha256 });

    private sealed record Begun(string Upload, long Bytes, long PartBytes);
}
