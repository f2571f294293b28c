using Hearth.Coordinator.Checkpoints;
using Xunit;

namespace Hearth.Tests.Checkpoints;

public sealed class KeepingCheckpoints
{
    // Steps of the good checkpoints, each with its validation loss ("-" = none); what goes.
    [Theory]
    [InlineData("", 3, "")]
    [InlineData("100:-", 0, "")]
    [InlineData("100:- 200:-", 1, "100")]
    [InlineData("100:- 200:-", 0, "100")]
    [InlineData("100:2.5 200:2.6 300:2.7 400:2.8", 2, "200")]
    [InlineData("100:2.5 200:2.5 300:2.7 400:2.8", 2, "100")]
    [InlineData("100:3 200:2.9 300:2.8 400:2.7", 2, "100 200")]
    [InlineData("100:NaN 200:3 300:-", 1, "100")]
    [InlineData("100:NaN 200:- 300:-", 1, "100 200")]
    [InlineData("400:1 100:2 300:3 200:4", 2, "100 200")]
    public void All_but_the_newest_and_the_best_go(string good, int keepLast, string gone)
    {
        var kept = good.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(c => c.Split(':')).Select(c => new KeptCheckpoint(
            Guid.NewGuid(), long.Parse(c[0], null), c[1] == "-" ? null : double.Parse(c[1], System.Globalization.CultureInfo.InvariantCulture))).ToList();

        var surplus = Retention.Surplus(kept, keepLast);

        Assert.Equal(gone, string.Join(' ', surplus.Select(c => c.Step).Order()));
    }

    [Fact]
    public void A_checkpoint_has_the_loss_of_the_last_evaluation_before_it()
    {
        (long, double)[] evaluations = [(100, 3.0), (200, 2.0)];

        Assert.Equal(
            [null, 3.0, 3.0, 2.0, 2.0],
            new long[] { 99, 100, 199, 200, 5000 }.Select(step => Retention.LossAt(step, evaluations)));
    }
}
