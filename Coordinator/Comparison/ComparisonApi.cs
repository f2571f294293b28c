using Hearth.Api;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Sweeps;
using Hearth.Coordinator.Sweeps.Rules;
using Hearth.Runs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Comparison;

/// <summary>Runs beside each other.</summary>
public static class ComparisonApi
{
    private const int Least = 2;
    private const int Most = 50;
    private const string AllowedRuns = "2 to 50 runs, as r-1,r-4, or a sweep's name for its trials, as s-2";

    public static void AddComparison(this WebApplicationBuilder builder) => builder.Services.AddSingleton<ComparisonStore>();

    public static void MapComparison(this RouteGroupBuilder api) => api.MapGet("/compare", CompareAsync)
        .ProducesProblem(StatusCodes.Status400BadRequest)
        .WithSummary("2 to 50 runs beside each other: curves of a metric over steps, tokens, seconds of training or watt-hours, what their specs differ in, and the best of each.");

    private static async Task<Results<Ok<Api.Comparison>, ProblemHttpResult>> CompareAsync(
        ComparisonStore store, SweepStore sweeps, string? runs, string? metric, string? axis, CancellationToken stop)
    {
        var (found, wrong) = await RunsAsync(runs ?? "", store, sweeps, stop);
        var errors = wrong is null ? new List<FieldError>() : [wrong];
        var over = CompareAxis.Step;
        if (!string.IsNullOrEmpty(axis) && (char.IsDigit(axis[0]) || !Enum.TryParse(axis, ignoreCase: true, out over) || !Enum.IsDefined(over)))
        {
            errors.Add(FieldError.Of("axis", axis, string.Join(", ", Enum.GetNames<CompareAxis>().Select(n => n.ToLowerInvariant()))));
        }

        metric = string.IsNullOrEmpty(metric) ? "validation_loss" : metric;
        if (errors.Count == 0 && !SweepPlans.Metrics.Contains(metric, StringComparer.Ordinal))
        {
            var known = await store.MetricsAsync([.. found], stop);
            if (!known.Contains(metric, StringComparer.Ordinal))
            {
                errors.Add(FieldError.Of("metric", metric, string.Join(", ", known.Union(SweepPlans.Metrics, StringComparer.Ordinal))));
            }
        }

        return errors.Count > 0
            ? Problems.Fields(errors, StatusCodes.Status400BadRequest)
            : TypedResults.Ok(await store.ReadAsync([.. found], metric, over, stop));
    }

    private static async Task<(IReadOnlyList<Guid> Runs, FieldError? Error)> RunsAsync(string named, ComparisonStore store, SweepStore sweeps, CancellationToken stop)
    {
        var found = new List<Guid>();
        string[] names = named.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (string name in names.Take(Most + 1))
        {
            if (RunRef.TryParse(name, null, out var run) && await store.FindAsync(run, stop) is { } id)
            {
                found.Add(id);
            }
            else if (SweepRef.TryParse(name, null, out var sweep) && await sweeps.RunsAsync(sweep, stop) is { } trials)
            {
                found.AddRange(trials);
            }
            else
            {
                return ([], new FieldError("runs", name, AllowedRuns, $"runs names {name}, which is no run and no sweep of this pool. Allowed: {AllowedRuns}."));
            }
        }

        var runs = found.Distinct().ToList();
        return runs.Count is >= Least and <= Most && names.Length <= Most
            ? (runs, null)
            : ([], new FieldError("runs", named, AllowedRuns, $"runs names {Math.Max(runs.Count, names.Length > Most ? names.Length : 0)} runs. Allowed: {AllowedRuns}."));
    }
}
