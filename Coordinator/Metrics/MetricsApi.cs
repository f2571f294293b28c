using System.Globalization;
using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Jobs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Metrics;

/// <summary>Series, samples and logs: workers send them in numbered batches, people read them.</summary>
public static class MetricsApi
{
    private const int MostPoints = 10_000;
    private const int MostLines = 5_000;

    public static void AddMetrics(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<MetricStore>();
        builder.Services.AddSingleton<MetricCompaction>();
        builder.Services.AddSingleton<IRecurringJob, CompactionJob>();
        builder.Services.AddSingleton<MetricReader>();
        builder.Services.AddSingleton<LogStore>();
    }

    public static void MapMetrics(RouteGroupBuilder api, RouteGroupBuilder worker)
    {
        api.MapGet("/runs/{id:guid}/metrics", ReadAsync).Produces<MetricsResponse>().WithSummary("Series of a run, in buckets where there are more points than asked for.");
        api.MapGet("/runs/{id:guid}/samples", SamplesAsync).WithSummary("Texts that a run sampled.");
        api.MapGet("/runs/{id:guid}/logs", ReadLogsAsync).Produces<LogsResponse>().WithSummary("Log lines of a run after an id, forward.");
        Takes<MetricsRequest>(worker.MapPost("/metrics", TakeMetricsAsync)).Produces<MetricsTaken>().WithSummary("Takes in a batch of points and samples of a live attempt, once.");
        Takes<LogsRequest>(worker.MapPost("/logs", TakeLogsAsync)).Produces(StatusCodes.Status204NoContent).WithSummary("Takes in a batch of log lines of a live attempt, once.");
    }

    private static RouteHandlerBuilder Takes<T>(RouteHandlerBuilder route)
        where T : notnull => route.Accepts<T>(BatchFormat.Json, BatchFormat.MessagePack)
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType).ProducesProblem(StatusCodes.Status422UnprocessableEntity);

    private static async Task<IResult> TakeMetricsAsync(HttpRequest body, ClaimsPrincipal caller, MetricStore store, CancellationToken stop)
    {
        var request = await BatchBody.ReadAsync<MetricsRequest>(body, stop);
        return BatchRules.Check(request) is { } error ? Problems.Fields([error]) : Answer(await store.AddAsync(request, caller.WorkerId(), stop));
    }

    private static async Task<IResult> TakeLogsAsync(HttpRequest body, ClaimsPrincipal caller, LogStore store, CancellationToken stop)
    {
        var request = await BatchBody.ReadAsync<LogsRequest>(body, stop);
        return BatchRules.Check(request) is { } error ? Problems.Fields([error]) : Answer(await store.AddAsync(request, caller.WorkerId(), stop));
    }

    private static async Task<IResult> ReadAsync(Guid id, MetricReader reader, string? keys, long? from, long? to, int? points, CancellationToken stop)
    {
        if ((points ?? 1) is < 1 or > MostPoints)
        {
            return OutOfRange("points", points!.Value, MostPoints);
        }

        string[]? wanted = string.IsNullOrWhiteSpace(keys) ? null : keys.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return Results.Ok(await reader.ReadAsync(id, wanted, Math.Max(0, from ?? 0), to ?? long.MaxValue, points ?? 1000, stop));
    }

    private static async Task<IResult> ReadLogsAsync(Guid id, LogStore store, long? after, int? limit, string? q, int? attempt, CancellationToken stop) =>
        (limit ?? 1) is < 1 or > MostLines
            ? OutOfRange("limit", limit!.Value, MostLines)
            : Results.Ok(await store.ReadAsync(id, after ?? 0, limit ?? 1000, string.IsNullOrEmpty(q) ? null : q, attempt, stop));

    /// <summary>Oldest first; what a later attempt wrote at the same step to the same prompt replaces the earlier one's.</summary>
    private static async Task<IEnumerable<SampleView>> SamplesAsync(Guid id, NpgsqlDataSource database, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.QueryAsync<SampleView>(
            "select distinct on (step, prompt) step, at, prompt, text from samples where run_id = @id order by step, prompt, attempt desc, id desc",
            new { id });
    }

    private static IResult Answer(MetricsTaken? taken) => taken is null ? Problems.Fenced() : Results.Ok(taken);

    private static IResult Answer(bool live) => live ? Results.NoContent() : Problems.Fenced();

    private static IResult OutOfRange(string field, int value, int most) =>
        Problems.Field(field, value.ToString(CultureInfo.InvariantCulture), string.Create(CultureInfo.InvariantCulture, $"1 to {most}"));
}
