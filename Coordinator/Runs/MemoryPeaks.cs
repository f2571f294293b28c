using System.Text.Json;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Runs;

namespace Hearth.Coordinator.Runs;

/// <summary>
/// What runs held of their devices at most, by kind of run, model of device and rows: what corrects later forecasts. Only attempts that did
/// all their steps count: one that stopped early may not have come to its peak.
/// </summary>
internal static class MemoryPeaks
{
    /// <summary>The largest of so many counts, so that what an older version took is forgotten.</summary>
    internal const int Remembered = 8;

    /// <summary>Adds the peak of a run's attempt that has done all its steps.</summary>
    internal static async Task AddAsync(DbSession session, LockedRun run, LockedAttempt attempt, long peak)
    {
        var (text, model) = await session.SingleAsync<(string Spec, string? Model)>(
            """
            select r.spec::text as spec, (
                select d.value ->> 'model' from attempts a join workers w on w.id = a.worker_id, jsonb_array_elements(w.devices) d
                where a.id = @attempt and (d.value ->> 'index')::int = a.device_index limit 1) as model
            from runs r where r.id = @Id
            """,
            new { run.Id, attempt = attempt.Id });
        var given = JsonSerializer.Deserialize<RunSpec>(text, Json.Wire)!;
        await session.ExecuteAsync(
            """
            insert into memory_peaks as m (kind, device_model, micro_batch, peaks) values (@kind, @model, @MicroBatch, array[@peak])
            on conflict (kind, device_model, micro_batch) do update set peaks = (m.peaks || @peak)[greatest(1, cardinality(m.peaks) + 2 - @Remembered):]
            """,
            new { kind = ForecastKind.OfPeaks(run.Recomputes ? given.Recomputing() : given), model = model ?? "", attempt.MicroBatch, peak, Remembered });
    }

    /// <summary>Those of some kinds (<see cref="ForecastKind.OfPeaks"/>); kinds without any are absent.</summary>
    internal static async Task<IReadOnlyDictionary<string, ReportedPeaks>> ReadAsync(DbSession session, string[] kinds)
    {
        var rows = await session.QueryAsync<(string Kind, string Model, int Rows, long Bytes)>(
            "select kind, device_model, micro_batch, (select max(p) from unnest(peaks) p) from memory_peaks where kind = any(@kinds)", new { kinds });
        return rows.GroupBy(r => r.Kind).ToDictionary(g => g.Key, g => new ReportedPeaks(g.Select(r => new ReportedPeak(r.Model, r.Rows, r.Bytes))), StringComparer.Ordinal);
    }
}
