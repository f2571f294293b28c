using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Data;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Datasets;

/// <summary>A dataset as other parts need it.</summary>
public sealed record Dataset(Guid Id, string Name, string Kind, string ContentSha256, string Sha256, long Bytes);

/// <summary>What is asked to become a dataset.</summary>
public sealed record NewDataset(string Name, string License, string CreatedBy, IReadOnlyList<SourceFile> Files);

/// <summary>Datasets as rows over one canonical blob each.</summary>
public sealed class DatasetStore(NpgsqlDataSource database, BlobLedger blobs, CoordinatorOptions options)
{
    private const string Select = "select id, name, kind, license, bytes, files, created_at, content_sha256 from datasets";

    /// <summary>Reads, canonicalises and stores. The same content under the same name again is the dataset that is there.</summary>
    /// <returns>The dataset, or null when the name stands for other content.</returns>
    /// <exception cref="DatasetRefusedException">A file cannot be used.</exception>
    /// <exception cref="StoreFullException">There is no room.</exception>
    public async Task<DatasetView?> AddAsync(NewDataset wanted, CancellationToken stop)
    {
        var blob = await StoreAsync(wanted, stop);
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            """
            insert into datasets (id, name, kind, license, files, documents, content_sha256, sha256, bytes, created_by)
            values (@id, @name, @kind, @license, @files, @documents, @content, @sha256, @bytes, @createdBy)
            on conflict (name) do nothing
            """,
            new
            {
                id = Guid.CreateVersion7(),
                name = wanted.Name,
                kind = blob.IsChat ? DatasetKinds.Chat : wanted.Files.All(f => f.IsJsonLines) ? DatasetKinds.JsonLines : DatasetKinds.Text,
                license = wanted.License,
                files = wanted.Files.Count,
                documents = blob.Documents,
                content = blob.ContentSha256,
                sha256 = blob.Sha256,
                bytes = blob.Bytes,
                createdBy = wanted.CreatedBy,
            });
        return (await ViewsAsync("where name = @name and sha256 = @sha256", new { name = wanted.Name, sha256 = blob.Sha256 }, stop)).SingleOrDefault();
    }

    public Task<IReadOnlyList<DatasetView>> ListAsync(CancellationToken stop) => ViewsAsync("order by name", new { }, stop);

    public async Task<DatasetView?> GetAsync(Guid id, CancellationToken stop) => (await ViewsAsync("where id = @id", new { id }, stop)).SingleOrDefault();

    /// <summary>The dataset that runs name so; null when there is none.</summary>
    public async Task<Dataset?> FindAsync(string name, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<Dataset>(
            "select id, name, kind, content_sha256, sha256, bytes from datasets where name = @name", new { name });
    }

    /// <summary>The dataset's files with addresses to read them; empty when there is no such dataset.</summary>
    public async Task<IReadOnlyList<BlobRef>> FilesAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await blobs.SignAsync(await session.QueryAsync<FileRef>(
            "select @FileName as name, sha256, bytes from datasets where id = @id", new { CanonicalBlob.FileName, id }));
    }

    /// <summary>Removes a dataset and what was prepared of its content, unless a run that has not ended uses it.</summary>
    /// <returns>Null when there is no such dataset, else the names of the runs that use it; none = it is gone.</returns>
    public async Task<IReadOnlyList<string>?> DeleteAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.ScalarAsync<string[]>(
            """
            with wanted as (select id, name, content_sha256 from datasets where id = @id),
            users as (
                select r.name from runs r join wanted w on r.spec->'data'->>'dataset' = w.name
                where r.state not in ('succeeded', 'failed', 'cancelled')),
            gone as (delete from datasets where id in (select id from wanted) and not exists (select 1 from users) returning content_sha256),
            unprepared as (
                delete from prepared p where p.content_sha256 in (select content_sha256 from gone)
                and not exists (select 1 from datasets d where d.content_sha256 = p.content_sha256 and d.id <> @id))
            select array(select name from users order by name limit 5) from wanted
            """,
            new { id });
    }

    private async Task<CanonicalBlob> StoreAsync(NewDataset wanted, CancellationToken stop)
    {
        try
        {
            string folder = Path.Combine(options.DataPath, "imports");
            Directory.CreateDirectory(folder);
            await using var temporary = new FileStream(
                Path.Combine(folder, $"{Guid.NewGuid():N}.jsonl"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose | FileOptions.Asynchronous);
            var blob = await CanonicalBlob.WriteAsync(wanted.Files, temporary, stop);
            temporary.Position = 0;
            await blobs.PutAsync(new FileRef(CanonicalBlob.FileName, blob.Sha256, blob.Bytes), temporary, stop);
            return blob;
        }
        catch (IOException e) when (DiskSpace.RanOut(e))
        {
            throw new StoreFullException($"The coordinator's disk is full: {e.Message}", e);
        }
    }

    private async Task<IReadOnlyList<DatasetView>> ViewsAsync(string rest, object parameters, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var rows = (await session.QueryAsync<Row>($"{Select} {rest}", parameters)).ToList();
        var tokens = (await session.QueryAsync<(string Content, string VocabSize, long Tokens)>(
            "select content_sha256, vocab_size::text, max(tokens) from prepared where content_sha256 = any(@contents) group by 1, 2 order by 2",
            new { contents = rows.Select(r => r.ContentSha256).ToArray() })).ToLookup(t => t.Content);
        return [.. rows.Select(r => new DatasetView
        {
            Id = r.Id,
            Name = r.Name,
            Kind = r.Kind,
            License = r.License,
            Bytes = r.Bytes,
            Files = r.Files,
            CreatedAt = r.CreatedAt,
            Tokens = tokens[r.ContentSha256].ToDictionary(t => t.VocabSize, t => t.Tokens, StringComparer.Ordinal),
        })];
    }

    private sealed record Row(Guid Id, string Name, string Kind, string License, long Bytes, int Files, DateTimeOffset CreatedAt, string ContentSha256);
}
