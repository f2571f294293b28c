using System.Security.Claims;
using System.Text.RegularExpressions;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Hearth.Runs;
using Microsoft.AspNetCore.Http.Features;

namespace Hearth.Coordinator.Datasets;

/// <summary>Datasets: added by path or upload, listed, removed; and their tokenised form, which workers publish.</summary>
public static partial class DatasetsApi
{
    private const int MostLicenseLetters = 200;
    private const int MostPaths = 100;
    private const int LongestPath = 4096;
    private const string AllowedNames = "1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit";

    public static void AddDatasets(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(SourceFiles.Read(builder.Configuration));
        var rules = new ReadingRules(SourceLimits.Read(builder.Configuration), BadRowPolicy.Read(builder.Configuration), Path.Combine(CoordinatorOptions.Read(builder.Configuration).DataPath, "imports"));
        builder.Services.AddSingleton(rules);
        builder.Services.AddSingleton<DatasetStore>();
        builder.Services.AddSingleton<PreparedStore>();
    }

    public static void MapDatasets(RouteGroupBuilder api, RouteGroupBuilder worker)
    {
        api.MapGet("/datasets", (DatasetStore store, CancellationToken stop) => store.ListAsync(stop)).WithSummary("All datasets, by name.");
        api.MapGet("/datasets/{id:guid}", async (Guid id, DatasetStore store, CancellationToken stop) =>
            await store.GetAsync(id, stop) is { } dataset ? Results.Ok(dataset) : NotFound(id)).Produces<DatasetView>().WithSummary("One dataset.");
        api.MapPost("/datasets", UploadAsync).RequireAuthorization(Policies.Submit).Produces<DatasetView>().WithSummary("Makes a dataset of one file, the body.");
        api.MapPost("/datasets/import", ImportAsync).RequireAuthorization(Policies.Admin).Produces<DatasetView>().WithSummary("Makes a dataset of files that the coordinator's machine holds.");
        api.MapDelete("/datasets/{id:guid}", DeleteAsync).RequireAuthorization(Policies.Submit).Produces(StatusCodes.Status204NoContent).WithSummary("Removes a dataset that no unfinished run uses.");
        worker.MapPost("/prepared", PublishAsync).Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status409Conflict).WithSummary("Publishes a tokenised dataset under its content key.");
    }

    private static Task<IResult> ImportAsync(ImportDataset import, ClaimsPrincipal caller, SourceFiles sources, DatasetStore store, CancellationToken stop)
    {
        var errors = Check(import.Name, import.License);
        if (import.Paths.Count is 0 or > MostPaths)
        {
            string given = import.Paths.Count == 0 ? "empty" : $"a list of {Words.Number(import.Paths.Count)}";
            errors.Add(FieldError.Of("paths", given, $"1 to {MostPaths} paths"));
        }
        else
        {
            errors.AddRange(import.Paths.Select((path, i) => TextRules.Name($"paths[{i}]", path, LongestPath)).OfType<FieldError>());
        }

        return AddAsync(errors, () => new NewDataset(import.Name, import.License.Trim(), caller.CallerName(), sources.Find(import)), store, stop);
    }

    /// <summary>One file as the body, of any length.</summary>
    private static Task<IResult> UploadAsync(string? name, string? license, string? kind, HttpRequest request, ClaimsPrincipal caller, DatasetStore store, CancellationToken stop)
    {
        var errors = Check(name ?? "", license ?? "");
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
                : Problems.Conflict($"A dataset called {asked.Name} is there already, with other content. Remove it first, or choose another name.");
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

    private static List<FieldError> Check(string name, string license)
    {
        var errors = new List<FieldError>();
        if (!NamePattern().IsMatch(name))
        {
            errors.Add(new FieldError("name", name, AllowedNames, $"name is {(name.Length == 0 ? "missing" : name)}. Allowed: {AllowedNames}."));
        }

        if (license.Trim().Length is 0 or > MostLicenseLetters)
        {
            errors.Add(new FieldError("license", license, $"1 to {MostLicenseLetters} letters", $"license is {(license.Trim().Length == 0 ? "missing" : "too long")}. Allowed: 1 to {MostLicenseLetters} letters that say under what terms the text may be used."));
        }

        if (TextRules.Name("license", license, int.MaxValue) is { } unreadable)
        {
            errors.Add(unreadable);
        }

        return errors;
    }

    private static IResult NotFound(Guid id) => Problems.NotFound($"There is no dataset {id}.");

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\\z")]
    private static partial Regex NamePattern();
}
