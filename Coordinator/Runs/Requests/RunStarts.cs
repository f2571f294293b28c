using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Coordinator.Database;
using Hearth.Models;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Runs.Requests;

/// <summary>How <c>start_from</c> names a checkpoint: a run, and a step of it or its newest. Pure.</summary>
public readonly record struct StartRef(RunRef Run, long? Step)
{
    public const string Allowed = "a run's newest checkpoint such as r-12, or that of a step such as r-12@500";

    public static bool TryParse([NotNullWhen(true)] string? text, out StartRef start)
    {
        string[] parts = (text ?? "").Split('@');
        long step = 0;
        bool named = RunRef.TryParse(parts[0], null, out var run) && (parts.Length == 1 || (parts.Length == 2 && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out step)));
        start = new StartRef(run, parts.Length == 2 ? step : null);
        return named;
    }
}

/// <summary>A checkpoint that a run begins with, found and checked.</summary>
/// <param name="CheckpointId">Of it.</param>
/// <param name="Name">As a spec is to name it for good: run and step.</param>
/// <param name="Tokenizer">The kind that its run has.</param>
public sealed record RunStart(Guid CheckpointId, string Name, string Tokenizer);

/// <summary>Finds the checkpoint that a spec begins with, and what about the two does not go together.</summary>
public sealed class RunStarts(NpgsqlDataSource database)
{
    private const int MostNamed = 10;

    /// <param name="read">The spec as far as it could be read; it names a start.</param>
    /// <param name="plan">Of its model; null where that is wrong.</param>
    /// <param name="errors">What is wrong is added.</param>
    /// <param name="stop">Ends the call.</param>
    public async Task<RunStart?> FindAsync(RunSpecResult read, ModelPlan? plan, List<FieldError> errors, CancellationToken stop)
    {
        var spec = read.Readable!;
        if (!StartRef.TryParse(spec.StartFrom, out var start))
        {
            errors.Add(FieldError.Of("start_from", spec.StartFrom, StartRef.Allowed));
            return null;
        }

        await using var session = await DbSession.OpenAsync(database, stop);
        var kept = await session.QueryAsync<Kept>(
            $"""
            select r.number, r.spec::text as spec, c.id, c.step from runs r left join checkpoints c on c.run_id = r.id and c.status = 'kept'
            where {RunRef.Is} order by c.step desc nulls last, c.created_at desc
            """,
            new { id = start.Run.Id, number = start.Run.Number });
        if (Choose(spec.StartFrom, start.Step, kept) is not { } error)
        {
            var chosen = kept.First(k => start.Step is null || k.Step == start.Step);
            var from = JsonSerializer.Deserialize<RunSpec>(chosen.Spec, Json.Wire)!;
            string name = string.Create(CultureInfo.InvariantCulture, $"r-{chosen.Number}@{chosen.Step}");
            errors.AddRange(Differences(read, plan, from, name));
            return new RunStart(chosen.Id!.Value, name, from.Data.Tokenizer);
        }

        errors.Add(error);
        return null;
    }

    private static FieldError? Choose(string given, long? step, IReadOnlyList<Kept> kept)
    {
        if (kept.Count == 0)
        {
            return new FieldError("start_from", given, StartRef.Allowed, $"start_from is {given}, and the pool has no such run. Allowed: {StartRef.Allowed}.");
        }

        var steps = kept.Where(k => k.Id is not null).Select(k => k.Step!.Value).Distinct().ToList();
        if (steps.Count == 0)
        {
            return new FieldError("start_from", given, "a run with a checkpoint", $"start_from is {given}, and r-{kept[0].Number} has no checkpoint that can be used. Allowed: a run with a checkpoint.");
        }

        string allowed = string.Join(", ", steps.Take(MostNamed).Select(s => string.Create(CultureInfo.InvariantCulture, $"r-{kept[0].Number}@{s}"))) + (steps.Count > MostNamed ? ", …" : "");
        return step is null || steps.Contains(step.Value)
            ? null
            : new FieldError("start_from", given, allowed, $"start_from is {given}, and r-{kept[0].Number} keeps no checkpoint of step {Words.Number(step.Value)}. Allowed: {allowed}.");
    }

    /// <summary>What the run and its start disagree about. Pure.</summary>
    internal static IEnumerable<FieldError> Differences(RunSpecResult read, ModelPlan? plan, RunSpec from, string name)
    {
        var spec = read.Readable!;
        if (plan is not null && Families.Plan(from.Model, []) is { } before)
        {
            if (before.Family != plan.Family)
            {
                yield return new FieldError("model.family", plan.Family, before.Family, $"model.family is {plan.Family}, and start_from is {name}, a {before.Title}. Allowed: {before.Family}.");
            }
            else if (FirstDifference(plan.Config, before.Config) is { } field)
            {
                string here = Show(plan.Config[field]), there = Show(before.Config[field]);
                yield return new FieldError($"model.{field}", here, there, $"model.{field} is {here}, and that of {name}, which start_from names, is {there}. Allowed: the same model.");
            }
        }

        if (read.Named.Contains("data.tokenizer") && read.Says("data.tokenizer") && spec.Data.Tokenizer != from.Data.Tokenizer)
        {
            yield return new FieldError(
                "data.tokenizer",
                spec.Data.Tokenizer,
                from.Data.Tokenizer,
                $"data.tokenizer is {spec.Data.Tokenizer}, and {name}, which start_from names, was trained with its own of the kind {from.Data.Tokenizer}. Allowed: {from.Data.Tokenizer}, or nothing.");
        }
    }

    private static string? FirstDifference(JsonObject one, JsonObject other) =>
        one.Select(f => f.Key).Union(other.Select(f => f.Key)).FirstOrDefault(key => !JsonNode.DeepEquals(one[key], other[key]));

    private static string Show(JsonNode? value) => value?.ToJsonString() ?? "not set";

    private sealed record Kept(long Number, string Spec, Guid? Id, long? Step);
}
