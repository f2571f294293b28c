using System.Globalization;
using System.Security.Claims;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>Checkpoints: workers upload and commit them, people list and download them.</summary>
public static class CheckpointsApi
{
    private const int LongestTrace = 64;
    private const double MostSeconds = 1e9;
    private static readonly TimeSpan DownloadLife = TimeSpan.FromMinutes(10);

    public static void AddCheckpoints(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<CheckpointStore>();
        builder.Services.AddSingleton<CheckpointFaults>();
        builder.Services.AddSingleton<CheckpointChecks>();
        builder.Services.AddHostedService<CheckpointVerifier>();
    }

    public static void MapCheckpoints(RouteGroupBuilder api, RouteGroupBuilder worker)
    {
        api.MapGet("/runs/{id:guid}/checkpoints", (Guid id, CheckpointStore store, CancellationToken stop) => store.ListAsync(id, stop)).WithSummary("Checkpoints of a run, newest first.");
        api.MapGet("/runs/{id:guid}/checkpoints/{checkpoint:guid}/files/{name}", DownloadAsync).Produces(StatusCodes.Status302Found).WithSummary("Sends on to the store, for one file of a checkpoint.");
        api.MapPost("/runs/{id:guid}/checkpoints/{checkpoint:guid}/check", async (Guid id, Guid checkpoint, CheckpointChecks checks, CancellationToken stop) =>
            await checks.AskAsync(id, checkpoint, stop) ? Results.Accepted() : NotFound(checkpoint)).RequireAuthorization(Policies.Submit).Produces(StatusCodes.Status202Accepted)
            .WithSummary("Asks the coordinator to read a checkpoint from the store and compare it with its manifest.");
        api.MapPost("/runs/{id:guid}/checkpoints/{checkpoint:guid}/discard", async (Guid id, Guid checkpoint, CheckpointStore store, CancellationToken stop) =>
            await store.DiscardAsync(id, checkpoint, stop) ? Results.NoContent() : NotFound(checkpoint)).RequireAuthorization(Policies.Submit).Produces(StatusCodes.Status204NoContent)
            .WithSummary("Gives up a checkpoint that is missing, damaged or quarantined; the run goes on without it.");
        worker.MapPost("/uploads", UploadsAsync).Produces<UploadsResponse>().ProducesProblem(StatusCodes.Status409Conflict).WithSummary("Where to put blobs; those that are stored already get no address.");
        worker.MapPost("/uploads/finish", FinishAsync).Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict)
            .WithSummary("Makes a blob of the parts that have arrived.");
        worker.MapPost("/checkpoints", CommitAsync).Produces<CheckpointCommitted>().ProducesProblem(StatusCodes.Status409Conflict).WithSummary("Makes a checkpoint exist.");
        worker.MapPost("/checkpoints/failed", async (CheckpointProblem problem, ClaimsPrincipal caller, CheckpointFaults faults, CancellationToken stop) =>
            Answer(await faults.FailedAsync(problem, caller.WorkerId(), stop))).Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status409Conflict)
            .WithSummary("Notes that a checkpoint did not come to be.");
        worker.MapPost("/checkpoints/unreadable", async (CheckpointProblem problem, ClaimsPrincipal caller, CheckpointFaults faults, CancellationToken stop) =>
            Answer(await faults.UnreadableAsync(problem, caller.WorkerId(), stop))).Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status409Conflict)
            .WithSummary("Says that an attempt cannot use a checkpoint: the coordinator reads it itself.");
    }

    /// <summary>Sends the browser to the store under the file's own name.</summary>
    private static async Task<IResult> DownloadAsync(Guid id, Guid checkpoint, string name, CheckpointStore checkpoints, IObjectStore store, CancellationToken stop) =>
        await checkpoints.FindFileAsync(id, checkpoint, name, stop) is { } file
            ? Results.Redirect(await store.SignGetAsync(file.Sha256, DownloadLife, file.Name))
            : Problems.NotFound($"The run has no kept checkpoint {checkpoint} with a file {name}.");

    private static async Task<IResult> UploadsAsync(UploadsRequest request, ClaimsPrincipal caller, BlobLedger blobs, CancellationToken stop)
    {
        if (FileChecks.Check("files", request.Files) is { Count: > 0 } errors)
        {
            return Problems.Fields(errors);
        }

        return await blobs.AnnounceAsync(request.Lease, caller.WorkerId(), request.Files, stop)
            ? Results.Ok(new UploadsResponse(await blobs.TicketsAsync(request.Lease.AttemptId, request.Files, stop)))
            : Problems.Fenced();
    }

    private static async Task<IResult> FinishAsync(UploadFinish finish, ClaimsPrincipal caller, BlobLedger blobs, BlobUploads uploads, CancellationToken stop)
    {
        if (!BlobNames.IsSha256(finish.Sha256 ?? ""))
        {
            return Problems.Field("sha256", finish.Sha256 ?? "", "64 lower-case hex digits");
        }

        if (finish.Parts is not { Count: > 0 and <= PartLayout.MostParts })
        {
            return Problems.Field("parts", $"{finish.Parts?.Count ?? 0} parts", $"1 to {PartLayout.MostParts} parts");
        }

        if (!await blobs.IsLiveAsync(finish.Lease, caller.WorkerId(), stop))
        {
            return Problems.Fenced();
        }

        return await uploads.FinishAsync(finish, stop) switch
        {
            UploadEnd.Done => Results.NoContent(),
            UploadEnd.Wrong => Problems.Field("parts", "other content than announced", $"parts that have SHA-256 {finish.Sha256} together"),
            _ => Problems.NotFound("There is no such upload any more. Ask for a new ticket, and send all parts again."),
        };
    }

    private static async Task<IResult> CommitAsync(CheckpointCommit commit, ClaimsPrincipal caller, CheckpointStore store, CancellationToken stop)
    {
        var errors = FileChecks.Check("manifest.files", commit.Manifest.Files).ToList();
        if (commit.Manifest.Step < 0)
        {
            string step = commit.Manifest.Step.ToString(CultureInfo.InvariantCulture);
            errors.Add(new FieldError("manifest.step", step, "0 or more", $"manifest.step is {step}. Allowed: 0 or more."));
        }

        if (TextRules.Name("manifest.trace", commit.Manifest.Trace, LongestTrace) is { } trace)
        {
            errors.Add(trace);
        }

        foreach (var (field, seconds) in new[] { ("pause_seconds", commit.PauseSeconds), ("write_seconds", commit.WriteSeconds) })
        {
            if (!(seconds is >= 0 and <= MostSeconds))
            {
                errors.Add(FieldError.Of(field, Words.Number(seconds), "0 or more seconds"));
            }
        }

        return errors.Count > 0
            ? Problems.Fields(errors)
            : await store.CommitAsync(commit, caller.WorkerId(), stop) switch
            {
                CommitResult.Done done => Results.Ok(done.Answer),
                CommitResult.Missing missing => Problems.Fields([.. missing.Files.Select(f => FileChecks.Missing("manifest.files", f))]),
                _ => Problems.Fenced(),
            };
    }

    private static IResult NotFound(Guid checkpoint) => Problems.NotFound($"The run has no checkpoint {checkpoint} for which this could be done.");

    private static IResult Answer(bool live) => live ? Results.NoContent() : Problems.Fenced();
}
