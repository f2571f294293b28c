using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Hearth.Runs;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Datasets;

/// <summary>Datasets: added by path or upload, listed, removed; and their tokenised form, which workers publish.</summary>
public static class DatasetsApi
{
    public static void AddDatasets(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(SourceFiles.Read(builder.Configuration));
        var rules = new ReadingRules(SourceLimits.Read(builder.Configuration), BadRowPolicy.Read(builder.Configuration), Path.Combine(CoordinatorOptions.Read(builder.Configuration).DataPath, "imports"));
        builder.Services.AddSingleton(rules);
        builder.Services.AddSingleton<DatasetStore>();
        builder.Services.AddSingleton<PreparedStore>();
        builder.Services.AddSingleton<DatasetRowReader>();
    }

    public static void MapDatasets(RouteGroupBuilder api, RouteGroupBuilder worker)
    {
        api.MapGet("/datasets", (DatasetStore store, CancellationToken stop) => store.ListAsync(stop)).WithSummary("All datasets, by name.");
        api.MapGet("/datasets/{id:guid}", async (Guid id, DatasetStore store, CancellationToken stop) =>
            await store.GetAsync(id, stop) is { } dataset ? Results.Ok(dataset) : NotFound(id)).Produces<DatasetView>().WithSummary("One dataset.");
        api.MapGet("/datasets/{id:guid}/rows", RowsAsync).WithSummary("Documents of a dataset, some at a time.");
        api.MapPost("/datasets", UploadAsync).RequireAuthorization(Policies.Submit).Produces<DatasetView>().WithSummary("Makes a dataset of one file, the body.");
        api.MapPost("/datasets/import", ImportAsync).RequireAuthorization(Policies.Admin).Produces<DatasetView>().WithSummary("Makes a dataset of files that the coordinator's machine holds.");
        api.MapDelete("/datasets/{id:guid}", DeleteAsync).RequireAuthorization(Policies.Submit).Produces(StatusCodes.Status204NoContent).WithSummary("Removes a dataset that no unfinished run uses.");
        worker.MapPost("/prepared", PublishAsync).Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status409Conflict).WithSummary("Publishes a tokenised dataset under its content key.");
    }

    private static async Task<Results<Ok<DatasetRows>, ProblemHttpResult>> RowsAsync(Guid id, string? cursor, int? limit, DatasetStore datasets, DatasetRowReader rows, CancellationToken stop)
    {
        if (limit is < 1 or > DatasetRowReader.MostRows)
        {
            return Problems.Field("limit", Words.Number(limit.Value), $"1 to {DatasetRowReader.MostRows}");
        }

        if (await datasets.BlobAsync(id, stop) is not { } blob)
        {
            return Problems.NotFound($"There is no dataset {id}.");
        }

        return await rows.ReadAsync(blob, cursor ?? "0", limit ?? DatasetRowReader.UsualRows, stop) is { } page
            ? TypedResults.Ok(page)
            : Problems.Field("cursor", cursor ?? "", "what next says in an earlier answer");
    }

    private static Task<IResult> ImportAsync(ImportDataset import, ClaimsPrincipal caller, SourceFiles sources, DatasetStore store, CancellationToken stop)
    {
        var errors = DatasetRules.Check(import.Name, import.License);
        errors.AddRange(DatasetRules.CheckPaths(import.Paths));
        return AddAsync(errors, () => new NewDataset(import.Name, import.License.Trim(), caller.CallerName(), sources.Find(import)), store, stop);
    }

    /// <summary>One file as the body, of any length.</summary>
    private static Task<IResult> UploadAsync(string? name, string? license, string? kind, HttpRequest request, ClaimsPrincipal caller, DatasetStore store, CancellationToken stop)
    {
        var errors = DatasetRules.Check(name ?? "", license ?? "");
        if (kind is not ("text" or "jsonl"))
        {
            errors.Add(new FieldError("kind", kind ?? "", "text, jsonl", kind is null ? "kind is missing. Allowed: text, jsonl." : $"kind is {kind}. Allowed: text, jsonl."));
        }

        request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = null;
        return AddAsync(
            errors,
            () => new NewDataset(name!, license!.Trim(), caller.CallerName(), [new SourceFile($"{name}.{(kind == "jsonl" ? "jsonl" : "txt")}", () => request.Body)]),
            store,
            stop);
    }

    private static async Task<IResult> AddAsync(List<FieldError> errors, Func<NewDataset> wanted, DatasetStore store, CancellationToken stop)
    {
        if (errors.Count > 0)
        {
            return Problems.Fields(errors);
        }

        try
        {
            var asked = wanted();
            return await store.AddAsync(asked, stop) is { } dataset
                ? Results.Ok(dataset)
                : Problems.Conflict(DatasetRules.Taken(asked.Name).Message);
        }
        catch (DatasetRefusedException e)
        {
            return Problems.Fields([e.Error]);
        }
        catch (StoreFullException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status507InsufficientStorage);
        }
    }

    private static async Task<IResult> DeleteAsync(Guid id, DatasetStore store, CancellationToken stop) => await store.DeleteAsync(id, stop) switch
    {
        null => NotFound(id),
        [] => Results.NoContent(),
        var runs => Problems.Conflict($"Runs that have not ended use this dataset: {string.Join(", ", runs)}. Cancel them first."),
    };

    private static async Task<IResult> PublishAsync(PreparedCommit commit, ClaimsPrincipal caller, PreparedStore store, CancellationToken stop) =>
        FileChecks.Check("files", commit.Files) is { Count: > 0 } errors
            ? Problems.Fields(errors)
            : await store.PublishAsync(commit, caller.WorkerId(), stop) switch
            {
                PublishResult.Done => Results.NoContent(),
                PublishResult.Refused refused => Problems.Fields(refused.Errors),
                _ => Problems.Fenced(),
            };

    private static IResult NotFound(Guid id) => Problems.NotFound($"There is no dataset {id}.");
}
