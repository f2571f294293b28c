using Hearth.Coordinator.Blobs;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>What the coordinator's own reading of a checkpoint means. Pure.</summary>
/// <param name="Status">Its state from now on.</param>
/// <param name="Note">Beside it in lists; null when there is nothing to say.</param>
/// <param name="Told">A sentence for the run's story; null when nothing moved.</param>
/// <param name="AgainIn">When it is read again; null = not by itself.</param>
public sealed record CheckpointVerdict(string Status, string? Note, string? Told, TimeSpan? AgainIn)
{
    /// <summary>Attempts that may fail to use a checkpoint whose bytes are right, before it is offered no more.</summary>
    public const int MostComplaints = 2;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan FirstMissingPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestMissingPause = TimeSpan.FromHours(1);

    public static CheckpointVerdict Decide(DueCheck check, IReadOnlyList<(FileRef File, BlobReading Reading)> files)
    {
        string which = $"The checkpoint of step {Words.Number(check.Step)}";
        var missing = files.Where(f => f.Reading is BlobReading.Missing).Select(f => f.File.Name).ToList();
        var damaged = files.Where(f => f.Reading is BlobReading.Damaged).Select(f => $"{f.File.Name}: {((BlobReading.Damaged)f.Reading).Found}").ToList();
        if (files.Count == 0)
        {
            return new CheckpointVerdict(check.Status, null, null, null);
        }

        // What is damaged does not come back; what is missing may.
        if (damaged.Count > 0)
        {
            string what = string.Join("; ", damaged);
            return Moved(check, "damaged", what, $"{which} is damaged in the store ({what}). It is not used; the run goes on from an earlier one.", null);
        }

        if (missing.Count > 0)
        {
            string what = string.Join(", ", missing);
            return Moved(
                check,
                "missing",
                $"not in the store: {what}",
                $"{which} is missing from the store ({what}). It is looked for again, and used again once it is back.",
                Pause(FirstMissingPause, LongestMissingPause, check.Tries));
        }

        return check.Complaints >= MostComplaints
            ? Moved(check, "quarantined", check.Reason, $"{which} is whole in the store, but {check.Complaints} attempts could not use it ({check.Reason}). It is not offered any more.", null)
            : new CheckpointVerdict("kept", null, check.Status == "kept" ? $"{which} was read again and is whole; the run goes on from it." : $"{which} is whole in the store again.", null);
    }

    /// <summary>How long to wait for a store that is away.</summary>
    public static TimeSpan AwayPause(int tries) => Pause(FirstPause, LongestPause, tries);

    private static CheckpointVerdict Moved(DueCheck check, string status, string note, string told, TimeSpan? again) => new(status, note, check.Status == status ? null : told, again);

    private static TimeSpan Pause(TimeSpan first, TimeSpan longest, int tries) =>
        TimeSpan.FromSeconds(Math.Min(longest.TotalSeconds, first.TotalSeconds * Math.Pow(2, Math.Clamp(tries - 1, 0, 20))));
}
