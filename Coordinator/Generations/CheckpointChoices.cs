using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Models;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Generations;

/// <summary>The checkpoints that can be asked, with what their models can do.</summary>
public sealed class CheckpointChoices(NpgsqlDataSource database)
{
    /// <summary>Kept ones, newest first; those whose model this version cannot build are left out.</summary>
    public async Task<IReadOnlyList<CheckpointChoice>> ListAsync(int limit, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var rows = await session.QueryAsync<Row>(
            """
            select c.id, c.step, c.created_at, r.id as run_id, r.number, r.name, r.spec::text as spec
            from checkpoints c join runs r on r.id = c.run_id where c.status = 'kept' order by c.created_at desc, c.step desc limit @limit
            """,
            new { limit });
        var runs = new Dictionary<Guid, (RunSpec Spec, ModelPlan? Plan)>();
        var choices = new List<CheckpointChoice>();
        foreach (var row in rows)
        {
            if (!runs.TryGetValue(row.RunId, out var run))
            {
                var spec = JsonSerializer.Deserialize<RunSpec>(row.Spec, Json.Wire)!;
                runs[row.RunId] = run = (spec, Families.Plan(spec.Model, new List<FieldError>()));
            }

            if (run.Plan is { } plan)
            {
                choices.Add(Choice(row, run.Spec.Task, plan));
            }
        }

        return choices;
    }

    private static CheckpointChoice Choice(Row row, string task, ModelPlan plan) => new()
    {
        Id = row.Id,
        RunId = row.RunId,
        RunNumber = row.Number,
        RunName = row.Name,
        Task = task,
        Family = plan.Family,
        Size = plan.Size,
        Title = plan.Title,
        Parameters = plan.Parameters,
        MaxSeqLen = plan.MaxSeqLen,
        Step = row.Step,
        CreatedAt = row.CreatedAt,
        Loops = plan.Decoding.Loops,
        Drafts = plan.Decoding.Drafts,
        Memory = plan.Decoding.Memory,
    };

    private sealed record Row(Guid Id, long Step, DateTimeOffset CreatedAt, Guid RunId, long Number, string Name, string Spec);
}
