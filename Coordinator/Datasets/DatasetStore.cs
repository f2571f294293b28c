using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Datasets;

/// <summary>A dataset as other parts need it.</summary>
public sealed record Dataset(Guid Id, string Name, string Kind, string ContentSha256, string Sha256, long Bytes);

/// <summary>What is asked to become a dataset.</summary>
public sealed record NewDataset(string Name, string License, string CreatedBy, IReadOnlyList<SourceFile> Files);

/// <summary>Datasets as rows over one canonical blob each.</summary>
public sealed class DatasetStore(NpgsqlDataSource database, BlobLedger blobs, ReadingRules rules)
{
    private const string Select = "select id, name, kind, license, bytes, files, documents, created_at, content_sha256";

    /// <summary>Reads, canonicalises and stores. The same content under the same name again is the dataset that is there.</summary>
    /// <param name="wanted">What is asked.</param>
    /// <param name="stop">Ends it.</param>
    /// <param name="tell">Is told how far it is; null = nobody asks.</param>
    /// <returns>The dataset, or null when the name stands for other content.</returns>
    /// <exception cref="DatasetRefusedException">A file cannot be used.</exception>
    /// <exception cref="StoreFullException">There is no room.</exception>
    public async Task<DatasetView?> AddAsync(NewDataset wanted, CancellationToken stop, Action<ReadingProgress>? tell = null)
    {
        var blob = await StoreAsync(wanted, tell, stop);
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            """
            insert into datasets (id, name, kind, license, files, documents, content_sha256, sha256, bytes, created_by, manifest)
            values (@id, @name, @kind, @license, @files, @documents, @content, @sha256, @bytes, @createdBy, @manifest)
            on conflict (name) do nothing
            """,
            new
            {
                id = Guid.CreateVersion7(),
                name = wanted.Name,
                kind = blob.Kind,
                license = wanted.License,
                files = blob.Files,
                documents = blob.Manifest.Documents,
                content = blob.ContentSha256,
                sha256 = blob.Sha256,
                bytes = blob.Bytes,
                createdBy = wanted.CreatedBy,
                manifest = DapperTypes.Jsonb(blob.Manifest),
            });
        return (await ViewsAsync("manifest::text", "where name = @name and content_sha256 = @content", new { name = wanted.Name, content = blob.ContentSha256 }, stop)).SingleOrDefault();
    }

    /// <summary>All by name, without their manifests.</summary>
    public Task<IReadOnlyList<DatasetView>> ListAsync(CancellationToken stop) => ViewsAsync("null", "order by name", new { }, stop);

    public async Task<DatasetView?> GetAsync(Guid id, CancellationToken stop) => (await ViewsAsync("manifest::text", "where id = @id", new { id }, stop)).SingleOrDefault();

    /// <summary>The dataset that runs name so; null when there is none.</summary>
    public async Task<Dataset?> FindAsync(string name, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<Dataset>(
            "select id, name, kind, content_sha256, sha256, bytes from datasets where name = @name", new { name });
    }

    /// <summary>The blob that a dataset is; null when there is no such dataset.</summary>
    public async Task<FileRef?> BlobAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<FileRef>("select @FileName as name, sha256, bytes from datasets where id = @id", new { CanonicalBlob.FileName, id });
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

    private async Task<CanonicalBlob> StoreAsync(NewDataset wanted, Action<ReadingProgress>? tell, CancellationToken stop)
    {
        try
        {
            await using var temporary = ScratchFile.Create(rules.Scratch);
            var blob = await CanonicalBlob.WriteAsync(wanted.Files, rules, temporary, tell, stop);
            if (await SameAsync(blob, stop) is { } same)
            {
                return blob with { Sha256 = same.Sha256, Bytes = same.Bytes };
            }

            temporary.Position = 0;
            await blobs.PutAsync(new FileRef(CanonicalBlob.FileName, blob.Sha256, blob.Bytes), temporary, stop);
            return blob;
        }
        catch (IOException e) when (DiskSpace.RanOut(e))
        {
            throw new StoreFullException($"The coordinator's disk is full: {e.Message}", e);
        }
    }

    /// <summary>The blob of a dataset with the same documents, whatever their files were called, where the store has it whole; else null.</summary>
    private async Task<FileRef?> SameAsync(CanonicalBlob blob, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var same = await session.FindAsync<FileRef>(
            "select @FileName as name, sha256, bytes from datasets where content_sha256 = @ContentSha256 and kind = @Kind order by created_at, id limit 1",
            new { CanonicalBlob.FileName, blob.ContentSha256, blob.Kind });
        return same is not null && (await blobs.MissingAsync([same], stop)).Count == 0 ? same : null;
    }

    private async Task<IReadOnlyList<DatasetView>> ViewsAsync(string manifest, string rest, object parameters, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var rows = (await session.QueryAsync<Row>($"{Select}, {manifest} as manifest from datasets {rest}", parameters)).ToList();
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
            Documents = r.Documents,
            CreatedAt = r.CreatedAt,
            Tokens = tokens[r.ContentSha256].ToDictionary(t => t.VocabSize, t => t.Tokens, StringComparer.Ordinal),
            Manifest = r.Manifest is null ? null : JsonSerializer.Deserialize<DatasetManifest>(r.Manifest, Json.Wire),
        })];
    }

    private sealed record Row(Guid Id, string Name, string Kind, string License, long Bytes, int Files, long Documents, DateTimeOffset CreatedAt, string ContentSha256, string? Manifest);
}
