using System.Collections.Concurrent;
using System.Diagnostics;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Tests.History;

/// <summary>Something that a coordinator has acknowledged, or that a worker did. Times are ticks of one monotonic clock.</summary>
/// <param name="Began">When it was asked for.</param>
/// <param name="Done">When the answer was there.</param>
internal abstract record Entry(long Began, long Done);

internal sealed record Submitted(long Began, long Done, Guid Run, long Steps) : Entry(Began, Done);

internal sealed record Cancelled(long Began, long Done, Guid Run) : Entry(Began, Done);

/// <summary>A worker has heard of an attempt for one of its devices.</summary>
internal sealed record Placed(long Began, long Done, Guid Worker, int Device, Guid Run, Lease Lease) : Entry(Began, Done);

/// <summary>An attempt begins where its checkpoint ends, or at 0 without one.</summary>
internal sealed record Resumed(long Began, long Done, Guid Run, Lease Lease, long Step) : Entry(Began, Done);

/// <summary>A report was taken in and its attempt not revoked.</summary>
internal sealed record Reported(long Began, long Done, Guid Run, Lease Lease, long Step) : Entry(Began, Done);

/// <summary>Points of all steps from first to last were taken in.</summary>
internal sealed record Measured(long Began, long Done, Guid Run, Lease Lease, long First, long Last) : Entry(Began, Done);

/// <summary>A checkpoint was sent; whether it exists is known only where it was acknowledged.</summary>
internal sealed record Committed(long Began, long Done, Guid Run, Lease Lease, long Step, string Trace, bool Acknowledged) : Entry(Began, Done);

/// <summary>The device is free again: the trainer is gone, whatever the coordinator knows.</summary>
internal sealed record Released(long Began, long Done, Guid Worker, int Device, Lease Lease) : Entry(Began, Done);

/// <summary>An end was acknowledged.</summary>
internal sealed record Ended(long Began, long Done, Guid Run, Lease Lease, AttemptState Outcome, long Step, string Trace) : Entry(Began, Done);

/// <summary>What a pool holds of a run once nothing moves any more.</summary>
internal sealed record RunAtTheEnd(RunState State, string? Trace, IReadOnlySet<long> Checkpoints, IReadOnlySet<long> Points);

/// <summary>Everything acknowledged, as it came. Safe for any number of workers at once.</summary>
internal sealed class HistoryRecorder
{
    private readonly ConcurrentQueue<Entry> _entries = new();

    internal static long Now => Stopwatch.GetTimestamp();

    internal IReadOnlyList<Entry> Entries => [.. _entries];

    internal void Add(Entry entry) => _entries.Enqueue(entry);
}

/// <summary>The training of a storm's runs: a chain that only those steps in that order give, so that a wrong or a missing step shows.</summary>
internal static class Chain
{
    /// <summary>State before the first step.</summary>
    internal static ulong Of(Guid run) => BitConverter.ToUInt64(run.ToByteArray());

    internal static ulong Next(ulong state, long step) => new SplitMix64(state ^ (ulong)step).Next();

    /// <summary>The trace of a run that was never disturbed, at this step.</summary>
    internal static string Straight(Guid run, long steps)
    {
        ulong state = Of(run);
        for (long step = 1; step <= steps; step++)
        {
            state = Next(state, step);
        }

        return Text(state);
    }

    internal static string Text(ulong state) => state.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
}
