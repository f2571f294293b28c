using System.Text.Json;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling.Cycle;

/// <summary>What a queued run's needs depend on: its spec, which never changes, and what was learnt when it ran out of memory.</summary>
/// <param name="MicroBatchLimit">Most rows of a micro-batch.</param>
/// <param name="Recompute">Blocks are recomputed whatever the spec says.</param>
public sealed record KindOfNeeds(Guid Run, int? MicroBatchLimit, bool Recompute);

/// <summary>
/// Needs of queued runs, kept from cycle to cycle: a spec is read once, and a forecast is made once for all runs that are alike to it
/// (model, rows, precision, optimizer …), whatever they are called and whatever they read.
/// </summary>
public sealed class NeedsCatalog
{
    private readonly Lock _gate = new();
    private Dictionary<KindOfNeeds, (string Kind, RunNeeds Needs)> _runs = [];

    /// <summary>Needs of the given runs, in their order; those of others are forgotten.</summary>
    internal async Task<IReadOnlyList<RunNeeds>> OfAsync(DbSession session, IReadOnlyList<KindOfNeeds> queue)
    {
        Dictionary<KindOfNeeds, (string Kind, RunNeeds Needs)> known;
        lock (_gate)
        {
            known = _runs;
        }

        var unknown = queue.Where(r => !known.ContainsKey(r)).ToDictionary(r => r.Run);
        if (unknown.Count > 0)
        {
            var specs = await session.QueryAsync<(Guid Id, string Spec)>("select id, spec::text from runs where id = any(@ids)", new { ids = unknown.Keys.ToArray() });
            known = Learn(known, specs.Select(s => (unknown[s.Id], s.Spec)));
        }

        var found = queue.Select(r => known[r]).ToList();
        if (unknown.Count > 0 || known.Count > queue.Count)
        {
            lock (_gate)
            {
                _runs = queue.Zip(found).ToDictionary(r => r.First, r => r.Second);
            }
        }

        return [.. found.Select(f => f.Needs)];
    }

    /// <summary>What a spec takes. A run of an older or newer version waits with its reason; it must not stop the queue.</summary>
    internal static RunNeeds Forecast(RunSpec spec, int? microBatchLimit)
    {
        var errors = new List<FieldError>();
        if (Families.Plan(spec.Model, errors) is not { } plan)
        {
            return new Unbuildable($"This version cannot build its model: {string.Join(' ', errors.Select(e => e.Message))}");
        }

        var needs = new ModelNeeds(plan.Under(spec.Train, spec.Optimizer), spec, microBatchLimit);
        needs.On(default); // Forecasts every number of rows now, so that what is wrong with a spec comes out here.
        return needs;
    }

    /// <summary>The parts of a spec that its forecast reads, as text: equal texts need the same. What names or times a run is left out.</summary>
    internal static string KindOf(RunSpec spec, int? microBatchLimit)
    {
        var kind = spec with
        {
            Name = "",
            Task = "",
            Data = spec.Data with { Dataset = "", ValidationFraction = 0 },
            Train = spec.Train with { Steps = 0, Seed = 0 },
            Optimizer = spec.Optimizer with { Lr = 0, MatrixLr = 0, EmbedLr = 0, VectorLr = 0, WarmupSteps = 0, WeightDecay = 0 },
            Eval = new EvalSpec(),
            Sample = new SampleSpec(),
            Checkpoint = new CheckpointSpec(),
            Run = new PlacementSpec(),
        };
        return $"{microBatchLimit} {JsonSerializer.Serialize(kind, Json.Wire)}";
    }

    private static Dictionary<KindOfNeeds, (string Kind, RunNeeds Needs)> Learn(
        Dictionary<KindOfNeeds, (string Kind, RunNeeds Needs)> known, IEnumerable<(KindOfNeeds Run, string Spec)> specs)
    {
        var learned = new Dictionary<KindOfNeeds, (string Kind, RunNeeds Needs)>(known);
        var kinds = known.Values.DistinctBy(k => k.Kind).ToDictionary(k => k.Kind, StringComparer.Ordinal);
        foreach (var (run, text) in specs)
        {
            learned[run] = Learn(kinds, run, text);
        }

        return learned;
    }

    private static (string Kind, RunNeeds Needs) Learn(Dictionary<string, (string Kind, RunNeeds Needs)> kinds, KindOfNeeds run, string text)
    {
        try
        {
            var given = JsonSerializer.Deserialize<RunSpec>(text, Json.Wire)!;
            var spec = run.Recompute ? given.Recomputing() : given;
            string kind = KindOf(spec, run.MicroBatchLimit);
            if (!kinds.TryGetValue(kind, out var known))
            {
                kinds.Add(kind, known = (kind, Forecast(spec, run.MicroBatchLimit)));
            }

            return known;
        }
        catch (Exception e)
        {
            // Whatever is wrong with one row is that run's own: the others are placed all the same.
            return ($"unreadable {run.Run}", new Unbuildable($"This version cannot read its spec: {e.Message}"));
        }
    }
}
