using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Checkpoints;
using Hearth.Protocol;
using Xunit;

namespace Hearth.Tests.Checkpoints;

public sealed class CheckingCheckpoints
{
    private static readonly BlobReading Whole = new BlobReading.Whole(), Missing = new BlobReading.Missing(), Damaged = new BlobReading.Damaged("its SHA-256 is another");

    // Its state before, complaints, what was read of two files; its state after, and whether it is looked for again.
    [Theory]
    [InlineData("kept", 1, "ww", "kept", false)]
    [InlineData("kept", 2, "ww", "quarantined", false)]
    [InlineData("kept", 1, "wm", "missing", true)]
    [InlineData("kept", 1, "wd", "damaged", false)]
    [InlineData("kept", 9, "md", "damaged", false)]
    [InlineData("missing", 1, "wm", "missing", true)]
    [InlineData("missing", 1, "ww", "kept", false)]
    [InlineData("damaged", 0, "ww", "kept", false)]
    public void Only_what_was_read_moves_a_checkpoint(string before, int complaints, string read, string after, bool again)
    {
        var files = read.Select((r, i) => (new FileRef($"file-{i}", new string('a', 64), 1), r switch { 'w' => Whole, 'm' => Missing, _ => Damaged })).ToList();

        var verdict = CheckpointVerdict.Decide(new DueCheck(Guid.NewGuid(), Guid.NewGuid(), 1500, before, "it could not be used.", 1, complaints), files);

        Assert.Equal((after, again), (verdict.Status, verdict.AgainIn is not null));
        Assert.Equal(before == after && after != "kept", verdict.Told is null);
    }

    [Fact]
    public void Pauses_grow_to_a_bound()
    {
        var away = Enumerable.Range(1, 40).Select(CheckpointVerdict.AwayPause).ToList();
        var missing = Enumerable.Range(1, 40)
            .Select(tries => CheckpointVerdict.Decide(new DueCheck(Guid.NewGuid(), Guid.NewGuid(), 1, "missing", "", tries, 1), [(new FileRef("a", "", 1), Missing)]).AgainIn!.Value).ToList();

        Assert.Equal([2.0, 4, 8, 16, 32, 60, 60], away.Take(7).Select(p => p.TotalSeconds));
        Assert.Equal(away.Order(), away);
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromHours(1)), (missing[0], missing[^1]));
        Assert.Equal(missing.Order(), missing);
    }

    // Open checks as step, state, whether the run would go on from it, whether it has a good one; which step it waits for.
    [Theory]
    [InlineData("20 kept next good, 10 missing - good", 20)]
    [InlineData("20 missing - good", null)]
    [InlineData("20 missing - none, 10 missing - none", 20)]
    [InlineData("20 damaged - none", null)]
    public void A_run_waits_for_a_checkpoint_in_doubt_and_for_missing_ones_when_it_has_no_other(string open, int? waitsFor)
    {
        var checks = open.Split(", ").Select(c => c.Split(' ')).Select(c => new OpenCheck(Guid.Empty, long.Parse(c[0], null), c[1], "why.", c[2] == "next", c[3] == "good")).ToList();

        string? reason = CheckpointHolds.Why(checks);

        Assert.Equal(waitsFor is null, reason is null);
        Assert.True(waitsFor is null || reason!.Contains($"checkpoint of step {waitsFor} ", StringComparison.Ordinal), reason);
    }
}
