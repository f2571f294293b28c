using System.Collections.ObjectModel;
using System.Text.Json;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Runs;
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
/// (model, rows, precision, optimizer …), whatever they are called and whatever they read. Peaks are read in each cycle.
/// </summary>
public sealed class NeedsCatalog
{
    private readonly Lock _gate = new();
    private Dictionary<KindOfNeeds, Kind> _runs = [];

    /// <summary>Needs of the given runs, in their order; those of others are forgotten.</summary>
    internal async Task<IReadOnlyList<RunNeeds>> OfAsync(DbSession session, IReadOnlyList<KindOfNeeds> queue)
    {
        Dictionary<KindOfNeeds, Kind> known;
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

        var kinds = found.ToHashSet();
        string[] measurable = [.. kinds.Select(k => k.Peaks).OfType<string>().Distinct()];
        var peaks = measurable.Length == 0 ? ReadOnlyDictionary<string, ReportedPeaks>.Empty : await MemoryPeaks.ReadAsync(session, measurable);
        var needs = kinds.ToDictionary(k => k, k => k.By(peaks));
        return [.. found.Select(k => needs[k])];
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

    private static Dictionary<KindOfNeeds, Kind> Learn(Dictionary<KindOfNeeds, Kind> known, IEnumerable<(KindOfNeeds Run, string Spec)> specs)
    {
        var learned = new Dictionary<KindOfNeeds, Kind>(known);
        var kinds = known.Values.Distinct().ToDictionary(k => k.Text, StringComparer.Ordinal);
        foreach (var (run, text) in specs)
        {
            learned[run] = Learn(kinds, run, text);
        }

        return learned;
    }

    private static Kind Learn(Dictionary<string, Kind> kinds, KindOfNeeds run, string text)
    {
        try
        {
            var given = JsonSerializer.Deserialize<RunSpec>(text, Json.Wire)!;
            var spec = run.Recompute ? given.Recomputing() : given;
            string kind = ForecastKind.Of(spec, run.MicroBatchLimit);
            if (!kinds.TryGetValue(kind, out var known))
            {
                kinds.Add(kind, known = new Kind(kind, ForecastKind.OfPeaks(spec), Forecast(spec, run.MicroBatchLimit)));
            }

            return known;
        }
        catch (Exception e)
        {
            // Whatever is wrong with one row is that run's own: the others are placed all the same.
            return new Kind($"unreadable {run.Run}", null, new Unbuildable($"This version cannot read its spec: {e.Message}"));
        }
    }

    /// <summary>Runs that need the same.</summary>
    /// <param name="text">Names it (<see cref="ForecastKind.Of"/>).</param>
    /// <param name="peaks">Names its peaks; null = there are none.</param>
    /// <param name="forecast">What they need by forecast.</param>
    private sealed class Kind(string text, string? peaks, RunNeeds forecast)
    {
        // What was asked of a device is known as long as the peaks stay the same: one object until then.
        private volatile RunNeeds _needs = forecast;

        internal string Text => text;

        internal string? Peaks => peaks;

        /// <summary>What they need by what such runs have held.</summary>
        internal RunNeeds By(IReadOnlyDictionary<string, ReportedPeaks> reported) =>
            peaks is not null && _needs is ModelNeeds model ? _needs = model.By(reported.GetValueOrDefault(peaks, ReportedPeaks.None)) : _needs;
    }
}
