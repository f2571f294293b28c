using Hearth.Runs;

namespace Hearth.Tests.History;

/// <summary>Holds what was acknowledged against what a pool promises. Pure; each broken promise is a sentence.</summary>
internal static class HistoryChecker
{
    /// <param name="entries">In any order.</param>
    /// <param name="end">Runs once nothing moves any more.</param>
    internal static IReadOnlyList<string> Check(IReadOnlyList<Entry> entries, IReadOnlyDictionary<Guid, RunAtTheEnd> end) =>
    [
        .. StaleEpochs(entries), .. EpochsGrow(entries), .. DevicesHeldTwice(entries), .. CheckpointsPassedOver(entries), .. TracesThatDiffer(entries, end), .. Missing(entries, end),
    ];

    /// <summary>Nothing of an attempt is taken in once a later one of its run was known.</summary>
    internal static IEnumerable<string> StaleEpochs(IReadOnlyList<Entry> entries)
    {
        var placed = entries.OfType<Placed>().ToLookup(p => p.Run);
        foreach (var (run, epoch, began, what) in Writes(entries))
        {
            if (placed[run].FirstOrDefault(p => p.Lease.Epoch > epoch && p.Done < began) is { } later)
            {
                yield return $"Run {run}: {what} of epoch {epoch} was taken in after epoch {later.Lease.Epoch} had begun.";
            }
        }
    }

    /// <summary>An epoch belongs to one attempt, and a later placement has a higher one.</summary>
    internal static IEnumerable<string> EpochsGrow(IReadOnlyList<Entry> entries)
    {
        foreach (var run in entries.OfType<Placed>().GroupBy(p => p.Run))
        {
            foreach (var epoch in run.GroupBy(p => p.Lease.Epoch).Where(e => e.Select(p => p.Lease.AttemptId).Distinct().Count() > 1))
            {
                yield return $"Run {run.Key}: epoch {epoch.Key} was given to {epoch.Select(p => p.Lease.AttemptId).Distinct().Count()} attempts.";
            }

            foreach (var (early, late) in from a in run from b in run where a.Done < b.Began && a.Lease.Epoch > b.Lease.Epoch select (a, b))
            {
                yield return $"Run {run.Key}: epoch {late.Lease.Epoch} was placed after epoch {early.Lease.Epoch}.";
            }
        }
    }

    /// <summary>A device has one attempt at a time, from the placement until its worker let it go.</summary>
    internal static IEnumerable<string> DevicesHeldTwice(IReadOnlyList<Entry> entries)
    {
        var free = entries.OfType<Released>().GroupBy(r => r.Lease.AttemptId).ToDictionary(g => g.Key, g => g.Min(r => r.Began));
        foreach (var device in entries.OfType<Placed>().GroupBy(p => (p.Worker, p.Device)))
        {
            Placed? holder = null;
            foreach (var placed in device.OrderBy(p => p.Done))
            {
                if (holder is not null && holder.Lease.AttemptId != placed.Lease.AttemptId && free.GetValueOrDefault(holder.Lease.AttemptId, long.MaxValue) > placed.Done)
                {
                    yield return $"Device {device.Key.Device} of worker {device.Key.Worker} was given to attempt {placed.Lease.AttemptId} while {holder.Lease.AttemptId} held it.";
                }

                holder = placed;
            }
        }
    }

    /// <summary>
    /// An attempt begins with the newest checkpoint of the epochs before it, or with one that was sent and whose answer got lost: whatever was
    /// acknowledged of an earlier epoch was so before this one began.
    /// </summary>
    internal static IEnumerable<string> CheckpointsPassedOver(IReadOnlyList<Entry> entries)
    {
        var committed = entries.OfType<Committed>().ToLookup(c => c.Run);
        foreach (var resumed in entries.OfType<Resumed>())
        {
            var before = committed[resumed.Run].Where(c => c.Lease.Epoch < resumed.Lease.Epoch).ToList();
            long newest = before.Where(c => c.Acknowledged).Select(c => c.Step).DefaultIfEmpty(0).Max();
            if (resumed.Step < newest)
            {
                yield return $"Run {resumed.Run}: epoch {resumed.Lease.Epoch} began at step {resumed.Step} though step {newest} had been acknowledged.";
            }

            if (resumed.Step > 0 && before.All(c => c.Step != resumed.Step))
            {
                yield return $"Run {resumed.Run}: epoch {resumed.Lease.Epoch} began at step {resumed.Step}, of which nobody sent a checkpoint.";
            }
        }
    }

    /// <summary>Checkpoints and ends have the trace of a run that was never disturbed.</summary>
    internal static IEnumerable<string> TracesThatDiffer(IReadOnlyList<Entry> entries, IReadOnlyDictionary<Guid, RunAtTheEnd> end)
    {
        var steps = entries.OfType<Submitted>().ToDictionary(s => s.Run, s => s.Steps);
        var told = entries.OfType<Committed>().Select(c => (c.Run, c.Step, Trace: (string?)c.Trace, What: "a checkpoint"))
            .Concat(entries.OfType<Ended>().Select(e => (e.Run, e.Step, Trace: (string?)e.Trace, What: "an end")))
            .Concat(end.Where(r => r.Value.State == RunState.Succeeded && steps.ContainsKey(r.Key)).Select(r => (Run: r.Key, Step: steps[r.Key], r.Value.Trace, What: "the run's page")));
        return from t in told where t.Trace != Chain.Straight(t.Run, t.Step) select $"Run {t.Run}: {t.What} has trace {t.Trace} at step {t.Step}; undisturbed it is {Chain.Straight(t.Run, t.Step)}.";
    }

    /// <summary>What was acknowledged is there at the end.</summary>
    internal static IEnumerable<string> Missing(IReadOnlyList<Entry> entries, IReadOnlyDictionary<Guid, RunAtTheEnd> end)
    {
        var cancelled = entries.OfType<Cancelled>().Select(c => c.Run).ToHashSet();
        var placed = entries.OfType<Placed>().ToLookup(p => p.Run);
        foreach (var submitted in entries.OfType<Submitted>())
        {
            if (!end.TryGetValue(submitted.Run, out var run))
            {
                yield return $"Run {submitted.Run} was accepted and is not there.";
                continue;
            }

            if (run.State != RunState.Succeeded && !(run.State == RunState.Cancelled && cancelled.Contains(submitted.Run)))
            {
                yield return $"Run {submitted.Run} is {run.State} at the end.";
            }

            long newest = entries.OfType<Committed>().Where(c => c.Run == submitted.Run && c.Acknowledged).Select(c => c.Step).DefaultIfEmpty(0).Max();
            if (newest > run.Checkpoints.DefaultIfEmpty(0).Max())
            {
                yield return $"Run {submitted.Run}: the checkpoint of step {newest} was acknowledged and is not there.";
            }

            foreach (var measured in entries.OfType<Measured>().Where(m => m.Run == submitted.Run))
            {
                for (long step = measured.First; step <= measured.Last; step++)
                {
                    if (!run.Points.Contains(step))
                    {
                        yield return $"Run {submitted.Run}: a point of step {step} was acknowledged and is not there.";
                    }
                }
            }

            if (entries.OfType<Ended>().FirstOrDefault(e => e.Run == submitted.Run && e.Outcome == AttemptState.Succeeded && placed[e.Run].All(p => p.Lease.Epoch <= e.Lease.Epoch)) is { } ended
                && run.State != RunState.Succeeded && !cancelled.Contains(submitted.Run))
            {
                yield return $"Run {submitted.Run}: its success in epoch {ended.Lease.Epoch} was acknowledged, and it is {run.State}.";
            }
        }
    }

    private static IEnumerable<(Guid Run, long Epoch, long Began, string What)> Writes(IReadOnlyList<Entry> entries) =>
        entries.OfType<Reported>().Select(r => (r.Run, r.Lease.Epoch, r.Began, $"a report of step {r.Step}"))
            .Concat(entries.OfType<Measured>().Select(m => (m.Run, m.Lease.Epoch, m.Began, $"points of steps {m.First} to {m.Last}")))
            .Concat(entries.OfType<Committed>().Where(c => c.Acknowledged).Select(c => (c.Run, c.Lease.Epoch, c.Began, $"a checkpoint of step {c.Step}")));
}
