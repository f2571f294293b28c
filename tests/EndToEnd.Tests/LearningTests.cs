using Hearth.Cli.Bench;
using Hearth.Cli.Demo;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>Every family's recipe for nano learns real text.</summary>
public sealed class LearningTests
{
    public static TheoryData<string> Families => [.. PoolFixture.Families];

    [Theory]
    [Trait("Category", "Slow")]
    [MemberData(nameof(Families))]
    public async Task The_recipe_for_nano_lowers_the_validation_loss_on_real_text(string family)
    {
        var learnt = await LearnBench.MeasureAsync(family, DemoText.Find(), threads: 1, CancellationToken.None);

        // A frequency table of the tokens reaches about 5 nats; what is far below that has learnt what follows what.
        Assert.True(learnt.LastLoss < learnt.FirstLoss, $"validation went from {learnt.FirstLoss} to {learnt.LastLoss}");
        Assert.InRange(learnt.LastLoss, 0, 4.2);
    }
}
