using Xunit;

namespace Hearth.Training.Tests;

public sealed class TraceHashTests
{
    [Fact]
    public void Is_FNV_1a_over_the_loss_bits()
    {
        // FNV-1a of eight zero bytes, known value.
        Assert.Equal("a8c7f832281a39c5", TraceHash.Empty.Fold(0.0).ToString());
    }

    [Fact]
    public void One_last_bit_and_the_order_matter()
    {
        var a = TraceHash.Empty.Fold(1.5).Fold(2.5);
        Assert.NotEqual(a, TraceHash.Empty.Fold(2.5).Fold(1.5));
        Assert.NotEqual(a, TraceHash.Empty.Fold(1.5).Fold(Math.BitIncrement(2.5)));
        Assert.Equal(a, TraceHash.Parse(TraceHash.Empty.Fold(1.5).ToString()).Fold(2.5));
    }

    [Theory]
    [InlineData("")]
    [InlineData("xyz")]
    [InlineData("00000000000000000")]
    public void Other_texts_are_refused(string text) => Assert.Throws<FormatException>(() => TraceHash.Parse(text));
}
