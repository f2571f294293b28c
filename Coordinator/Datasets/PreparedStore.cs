using System.Text.Json;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Runs;
using Hearth.Data;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Datasets;

/// <summary>What became of a publication.</summary>
public abstract record PublishResult
{
    public sealed record Done : PublishResult;

    public sealed record Fenced : PublishResult;

    public sealed record Refused(IReadOnlyList<FieldError> Errors) : PublishResult;
}

/// <summary>
/// Tokenised datasets under their content key. The first attempt that needs one makes it; all others, on any worker, fetch it.
/// </summary>
public sealed class PreparedStore(NpgsqlDataSource database, IObjectStore store, BlobLedger blobs, DatasetStore datasets)
{
    private const string ManifestName = "dataset.json";
    private const int MostManifestBytes = 1 << 20;

    /// <summary>Files of the prepared dataset with this key; null when nobody has made it.</summary>
    public async Task<IReadOnlyList<BlobRef>?> FindAsync(string key, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var files = (await session.QueryAsync<FileRef>(
            "select name, sha256, bytes from prepared_files where key = @key order by name", new { key })).ToList();
        return files.Count > 0 ? await blobs.SignAsync(files) : null;
    }

    /// <summary>What a run's trainer would prepare, where it is there already.</summary>
    /// <param name="spec">The run.</param>
    /// <param name="start">The checkpoint that it begins with; null = none.</param>
    /// <param name="dataset">Its dataset.</param>
    /// <param name="stop">Ends the call.</param>
    public async Task<IReadOnlyList<BlobRef>?> FindForAsync(RunSpec spec, Guid? start, Dataset dataset, CancellationToken stop)
    {
        string? tokenizer = null;
        if (start is not null)
        {
            await using var session = await DbSession.OpenAsync(database, stop);
            tokenizer = await session.FindAsync<string>($"select ({TokenizerOf("@start")})", new { start });
        }

        return KeyOf(spec, dataset, tokenizer) is { } needed ? await FindAsync(needed.Key, stop) : null;
    }

    /// <summary>
    /// Publishes under the key that the attempt's own run needs, once however often it is asked for; fenced in the statement that writes.
    /// </summary>
    public async Task<PublishResult> PublishAsync(PreparedCommit commit, Guid worker, CancellationToken stop)
    {
        var lease = new { attempt = commit.Lease.AttemptId, epoch = commit.Lease.Epoch, worker };
        await using var session = await DbSession.OpenAsync(database, stop);
        var run = await session.FindAsync<Run>(
            $"with live as ({Fence.LiveRun}) select r.spec::text as spec, ({TokenizerOf("r.start_checkpoint")}) as tokenizer from runs r join live on live.run_id = r.id", lease);
        if (run is null)
        {
            return new PublishResult.Fenced();
        }

        var spec = JsonSerializer.Deserialize<RunSpec>(run.Spec, Json.Wire)!;
        if (await datasets.FindAsync(spec.Data.Dataset, stop) is not { } dataset || KeyOf(spec, dataset, run.Tokenizer) is not { } needed || needed.Key != commit.Key)
        {
            return Refuse("key", commit.Key, "the key that the attempt's run needs");
        }

        if (await blobs.MissingAsync(commit.Files, stop) is { Count: > 0 } missing)
        {
            return new PublishResult.Refused([.. missing.Select(f => FileChecks.Missing("files", f))]);
        }

        if (commit.Files.SingleOrDefault(f => f.Name == ManifestName) is not { } manifest || await CountTokensAsync(manifest, stop) is not { } tokens)
        {
            return Refuse("files", string.Join(", ", commit.Files.Select(f => f.Name)), $"files with a {ManifestName} that counts the tokens");
        }

        var made = await InsertAsync(session, commit, worker, dataset.ContentSha256, needed.VocabSize, tokens);
        return made.IsLive ? made.IsHeld ? new PublishResult.Done() : Refuse("files", commit.Key, "blobs that were announced within the hour") : new PublishResult.Fenced();
    }

    /// <summary>Null when the model cannot be planned; such a run is never placed.</summary>
    private static (string Key, int VocabSize)? KeyOf(RunSpec spec, Dataset dataset, string? tokenizer) => Families.Plan(spec.Model, new List<FieldError>()) is { } plan
        ? (DatasetContent.PreparedKey(
            dataset.ContentSha256,
            plan.VocabSize,
            spec.Data.ValidationFraction,
            tokenizer is null ? spec.Data.Tokenizer : DatasetContent.Given(tokenizer),
            spec.Task == RunTasks.Sft ? spec.Sft.Form : null), plan.VocabSize)
        : null;

    // A tokenizer is its file: the file's hash in the checkpoint is the tokenizer's.
    private static string TokenizerOf(string checkpoint) =>
        $"select f.sha256 from checkpoint_files f where f.checkpoint_id = {checkpoint} and f.name in ('spm.model', 'tokenizer.json') order by f.name limit 1";

    private static PublishResult.Refused Refuse(string field, string value, string allowed) => new([new FieldError(field, value, allowed, $"{field} is {value}. Allowed: {allowed}.")]);

    private static Task<Made> InsertAsync(DbSession session, PreparedCommit commit, Guid worker, string content, int vocabSize, long tokens) =>
        session.SingleAsync<Made>(
            $"""
            with live as ({Fence.LiveRun}),
            held as (
                update blobs set wanted_by = null, quarantined_at = null
                where sha256 in (select b.sha256 from blobs b where b.sha256 = any(@shas) order by b.sha256 for update) and exists (select 1 from live)
                returning sha256),
            made as (
                insert into prepared (key, content_sha256, vocab_size, tokens)
                select @key, @content, @vocabSize, @tokens from live where (select count(*) from held) = cardinality(@shas)
                on conflict (key) do nothing
                returning key),
            filed as (
                insert into prepared_files (key, name, sha256, bytes)
                select made.key, f.name, f.sha256, f.bytes from made cross join unnest(@names, @fileShas, @fileBytes) as f (name, sha256, bytes))
            select exists (select 1 from live) as is_live, (select count(*) from held) = cardinality(@shas) as is_held
            """,
            new
            {
                attempt = commit.Lease.AttemptId,
                epoch = commit.Lease.Epoch,
                worker,
                key = commit.Key,
                content,
                vocabSize,
                tokens,
                shas = BlobLedger.Shas(commit.Files),
                names = commit.Files.Select(f => f.Name).ToArray(),
                fileShas = commit.Files.Select(f => f.Sha256).ToArray(),
                fileBytes = commit.Files.Select(f => f.Bytes).ToArray(),
            });

    private async Task<long?> CountTokensAsync(FileRef manifest, CancellationToken stop)
    {
        if (manifest.Bytes > MostManifestBytes || await store.GetAsync(manifest.Sha256, stop) is not { } stream)
        {
            return null;
        }

        try
        {
            await using (stream)
            {
                var counts = await JsonSerializer.DeserializeAsync<TokenCounts>(stream, Json.Wire, stop);
                return counts is { TrainTokens: > 0, ValidationTokens: >= 0 } ? counts.TrainTokens + counts.ValidationTokens : null;
            }
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <param name="Spec">As JSON.</param>
    /// <param name="Tokenizer">SHA-256 of that of the checkpoint that it begins with; null = none.</param>
    private sealed record Run(string Spec, string? Tokenizer);

    // The part of the trainer's manifest that is shown.
    private sealed record TokenCounts(long TrainTokens, long ValidationTokens);

    private sealed record Made(bool IsLive, bool IsHeld);
}
