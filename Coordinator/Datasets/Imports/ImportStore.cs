using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>Where an import takes its bytes from; one of the three is there.</summary>
/// <param name="Paths">On the coordinator's machine.</param>
/// <param name="Url">To be fetched.</param>
/// <param name="UploadId">Of an upload.</param>
/// <param name="FileName">Of the uploaded file.</param>
public sealed record ImportSource(IReadOnlyList<string>? Paths, string? Url, Guid? UploadId, string? FileName)
{
    /// <summary>For people.</summary>
    public string InWords() => Paths is { } paths ? string.Join(", ", paths) : Url ?? FileName ?? "";
}

/// <summary>An import whose turn it is.</summary>
public sealed record ImportTurn(Guid Id, string Name, string License, ImportSource Source, string CreatedBy, int Tries);

/// <summary>
/// Imports as rows: what is asked, how far it is, what came of it. One turn works at them at a time (<see cref="ImportJob"/>), so that a row that is running when a turn
/// begins is one that was cut short.
/// </summary>
public sealed class ImportStore(NpgsqlDataSource database)
{
    private const int MostListed = 100;
    private const string Select =
        """
        select id, name, license, source::text, state, stage, bytes_read, bytes_total, documents, bad_rows, duplicates, error::text, dataset_id, created_by, created_at, ended_at from dataset_imports
        """;

    public async Task<ImportView> AddAsync(StartImport wanted, ImportSource source, string caller, CancellationToken stop)
    {
        var id = Guid.CreateVersion7();
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            "insert into dataset_imports (id, name, license, source, created_by) values (@id, @Name, @license, @source, @caller)",
            new { id, wanted.Name, license = wanted.License.Trim(), source = DapperTypes.Jsonb(source), caller });
        return (await GetAsync(id, stop))!;
    }

    /// <summary>The newest first.</summary>
    public Task<IReadOnlyList<ImportView>> ListAsync(CancellationToken stop) => ViewsAsync($"order by created_at desc, id desc limit {MostListed}", new { }, stop);

    public async Task<ImportView?> GetAsync(Guid id, CancellationToken stop) => (await ViewsAsync("where id = @id", new { id }, stop)).SingleOrDefault();

    /// <summary>Asks for an import's end. One that waits is over at once, one at work within a second; one that is over stays as it is.</summary>
    public async Task CancelAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            """
            update dataset_imports set cancel_asked = true, state = case when state = 'queued' then 'cancelled' else state end,
                stage = case when state = 'queued' then 'over' else stage end, ended_at = case when state = 'queued' then now() end
            where id = @id and state in ('queued', 'running')
            """,
            new { id });
    }

    /// <summary>Begins the oldest that is not over, anew where it was cut short; null when there is none.</summary>
    public async Task<ImportTurn?> BeginAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var row = await session.FindAsync<TurnRow>(
            """
            update dataset_imports set state = 'running', stage = 'opening', tries = tries + 1, began_at = coalesce(began_at, now()), bytes_read = 0, documents = 0, bad_rows = 0, duplicates = 0
            where id = (select id from dataset_imports where state in ('queued', 'running') order by created_at, id limit 1)
            returning id, name, license, source::text, created_by, tries
            """);
        return row is null ? null : new ImportTurn(row.Id, row.Name, row.License, JsonSerializer.Deserialize<ImportSource>(row.Source, Json.Wire)!, row.CreatedBy, row.Tries);
    }

    /// <summary>Notes how far an import is.</summary>
    /// <returns>Whether it is to go on.</returns>
    public async Task<bool> TellAsync(Guid id, ReadingProgress progress, long? total, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<bool>(
            """
            update dataset_imports set stage = @stage, bytes_read = @BytesRead, bytes_total = @total, documents = @Documents, bad_rows = @BadRows, duplicates = @Duplicates
            where id = @id and state = 'running' returning not cancel_asked
            """,
            new { id, stage = progress.IsRead ? "storing" : "reading", progress.BytesRead, total, progress.Documents, progress.BadRows, progress.Duplicates });
    }

    /// <summary>Notes the end of an import.</summary>
    public async Task EndAsync(Guid id, ImportState state, Guid? dataset, FieldError? error, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            """
            update dataset_imports set state = @state, stage = 'over', dataset_id = @dataset, error = @error, ended_at = now() where id = @id and state = 'running'
            """,
            new { id, state = JsonNamingPolicy.SnakeCaseLower.ConvertName(state.ToString()), dataset, error = DapperTypes.Jsonb(error) });
    }

    private async Task<IReadOnlyList<ImportView>> ViewsAsync(string rest, object parameters, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return [.. (await session.QueryAsync<Row>($"{Select} {rest}", parameters)).Select(r => new ImportView
        {
            Id = r.Id,
            Name = r.Name,
            License = r.License,
            Source = JsonSerializer.Deserialize<ImportSource>(r.Source, Json.Wire)!.InWords(),
            State = Enum.Parse<ImportState>(r.State, ignoreCase: true),
            Stage = r.Stage,
            BytesRead = r.BytesRead,
            BytesTotal = r.BytesTotal,
            Documents = r.Documents,
            BadRows = r.BadRows,
            Duplicates = r.Duplicates,
            Error = r.Error is null ? null : JsonSerializer.Deserialize<FieldError>(r.Error, Json.Wire),
            DatasetId = r.DatasetId,
            CreatedBy = r.CreatedBy,
            CreatedAt = r.CreatedAt,
            EndedAt = r.EndedAt,
        })];
    }

    private sealed record TurnRow(Guid Id, string Name, string License, string Source, string CreatedBy, int Tries);

    private sealed record Row
    {
        public Guid Id { get; init; }
        public string Name { get; init; } = "";
        public string License { get; init; } = "";
        public string Source { get; init; } = "";
        public string State { get; init; } = "";
        public string Stage { get; init; } = "";
        public long BytesRead { get; init; }
        public long? BytesTotal { get; init; }
        public long Documents { get; init; }
        public long BadRows { get; init; }
        public long Duplicates { get; init; }
        public string? Error { get; init; }
        public Guid? DatasetId { get; init; }
        public string CreatedBy { get; init; } = "";
        public DateTimeOffset CreatedAt { get; init; }
        public DateTimeOffset? EndedAt { get; init; }
    }
}
