using System.Security.Cryptography;
using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>What became of a part.</summary>
public abstract record PartResult
{
    /// <summary>It is there, now or before.</summary>
    public sealed record Taken(UploadView Upload) : PartResult;

    /// <summary>It begins elsewhere than the upload ends, or goes over what was announced.</summary>
    public sealed record Misplaced(UploadView Upload) : PartResult;

    /// <summary>There is no such upload any more.</summary>
    public sealed record Unknown : PartResult;
}

/// <summary>Uploads that go on where they stopped, at whichever coordinator: each part is a blob, and a row that says where it belongs.</summary>
public sealed class UploadStore(NpgsqlDataSource database, BlobLedger blobs, IObjectStore store, ReadingRules rules)
{
    /// <summary>How long a part should be.</summary>
    public const long PartBytes = 8L << 20;

    /// <summary>How long it may be.</summary>
    public const long MostPartBytes = 64L << 20;

    /// <summary>How long an upload that nobody goes on with, or imports, is kept.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromHours(24);
    private const string View = "select u.id, u.file_name, (select coalesce(sum(p.bytes), 0) from dataset_upload_parts p where p.upload_id = u.id)::bigint as offset_bytes, u.bytes from dataset_uploads u";

    public async Task<UploadView> BeginAsync(StartUpload wanted, string caller, CancellationToken stop)
    {
        var id = Guid.CreateVersion7();
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            "insert into dataset_uploads (id, file_name, bytes, created_by) values (@id, @FileName, @Bytes, @caller)", new { id, wanted.FileName, wanted.Bytes, caller });
        return new UploadView(id, wanted.FileName, 0, wanted.Bytes, PartBytes);
    }

    public async Task<UploadView?> FindAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await FindAsync(session, id);
    }

    /// <summary>Takes a part. Sent again, after a lost answer, it changes nothing.</summary>
    /// <param name="id">Of the upload.</param>
    /// <param name="offset">Where the part begins: where the upload ends.</param>
    /// <param name="content">At most <see cref="MostPartBytes"/>; whoever calls sees to that.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="StoreFullException">There is no room.</exception>
    public async Task<PartResult> PutAsync(Guid id, long offset, Stream content, CancellationToken stop)
    {
        if (await FindAsync(id, stop) is not { } before)
        {
            return new PartResult.Unknown();
        }

        if (offset > before.Offset)
        {
            return new PartResult.Misplaced(before);
        }

        if (await KeepAsync(content, stop) is not { } part)
        {
            return new PartResult.Taken(before);
        }

        await using var session = await DbSession.BeginAsync(database, stop);
        await session.ExecuteAsync("update dataset_uploads set touched_at = now() where id = @id", new { id });
        if (await FindAsync(session, id) is not { } upload)
        {
            return new PartResult.Unknown();
        }

        if (offset != upload.Offset || upload.Offset + part.Bytes > (upload.Bytes ?? long.MaxValue))
        {
            bool isThere = await session.SingleAsync<bool>(
                "select exists (select 1 from dataset_upload_parts where upload_id = @id and starts_at = @offset and sha256 = @Sha256)", new { id, offset, part.Sha256 });
            return isThere ? new PartResult.Taken(upload) : new PartResult.Misplaced(upload);
        }

        await session.ExecuteAsync(
            "insert into dataset_upload_parts (upload_id, starts_at, bytes, sha256) values (@id, @offset, @Bytes, @Sha256)", new { id, offset, part.Bytes, part.Sha256 });
        await session.CommitAsync();
        return new PartResult.Taken(upload with { Offset = offset + part.Bytes });
    }

    /// <summary>The whole of an upload, read from its start.</summary>
    public async Task<Stream> OpenAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var parts = await session.QueryAsync<string>("select sha256 from dataset_upload_parts where upload_id = @id order by starts_at", new { id });
        return new PartsStream(parts, store);
    }

    /// <summary>Removes an upload; false when there is none.</summary>
    public async Task<bool> RemoveAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.ExecuteAsync("delete from dataset_uploads where id = @id", new { id }) > 0;
    }

    /// <summary>Removes those that nobody has gone on with, and that no import waits to read.</summary>
    public async Task<int> TrimAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.ExecuteAsync(
            """
            delete from dataset_uploads u where u.touched_at < now() - make_interval(secs => @seconds)
            and not exists (select 1 from dataset_imports i where i.state in ('queued', 'running') and i.source->>'upload_id' = u.id::text)
            """,
            new { seconds = Kept.TotalSeconds });
    }

    /// <summary>Stores the bytes as a blob; null where there are none.</summary>
    private async Task<FileRef?> KeepAsync(Stream content, CancellationToken stop)
    {
        try
        {
            await using var temporary = ScratchFile.Create(rules.Scratch);
            using var sha = SHA256.Create();
            await using (var hashing = new CryptoStream(temporary, sha, CryptoStreamMode.Write, leaveOpen: true))
            {
                await content.CopyToAsync(hashing, stop);
            }

            if (temporary.Length == 0)
            {
                return null;
            }

            var part = new FileRef("part", Convert.ToHexStringLower(sha.Hash!), temporary.Length);
            temporary.Position = 0;
            await blobs.PutAsync(part, temporary, stop);
            return part;
        }
        catch (IOException e) when (DiskSpace.RanOut(e))
        {
            throw new StoreFullException($"The coordinator's disk is full: {e.Message}", e);
        }
    }

    private static async Task<UploadView?> FindAsync(DbSession session, Guid id) =>
        await session.FindAsync<Row>($"{View} where u.id = @id", new { id }) is { } row ? new UploadView(row.Id, row.FileName, row.OffsetBytes, row.Bytes, PartBytes) : null;

    private sealed record Row(Guid Id, string FileName, long OffsetBytes, long? Bytes);
}
