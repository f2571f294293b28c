using Hearth.Runs;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary><c>generate</c> as it is typed, on checkpoints of untrained models.</summary>
public sealed class GenerateCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("qovaryx")]
    [InlineData("moa")]
    [InlineData("positronic")]
    [InlineData("hybrid")]
    public void A_top_p_of_0_gives_the_greedy_text_of_every_family(string family)
    {
        string checkpoint = Checkpoint(family);
        var drawn = TrainerCommandLine.Run("generate", "--checkpoint", checkpoint, "--prompt", "the cat", "--max-tokens", "12", "--top-p", "0", "--seed", "5");
        var greedy = TrainerCommandLine.Run("generate", "--checkpoint", checkpoint, "--prompt", "the cat", "--max-tokens", "12", "--temperature", "0");

        Assert.Equal((ExitCodes.Done, ""), (drawn.Exit, drawn.Errors));
        Assert.Equal(greedy.Output, drawn.Output);
    }

    [Theory]
    [InlineData("0", "0")]
    [InlineData("0.999", "1")]
    [InlineData("1", null)]
    public void A_looped_model_leaves_at_the_threshold_and_says_each_tokens_step(string threshold, string? step)
    {
        var result = TrainerCommandLine.Run("generate", "--checkpoint", Checkpoint("vuaf"), "--prompt", "the cat", "--max-tokens", "4", "--halt-threshold", threshold);

        Assert.Equal(ExitCodes.Done, result.Exit);
        string[] steps = result.Errors.Trim().Replace("loop steps: ", "", StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(step is null, steps.Length == 0);
        Assert.All(steps, s => Assert.Equal(step, s));
    }

    [Fact]
    public void A_halt_threshold_for_a_family_without_a_loop_is_refused()
    {
        var result = TrainerCommandLine.Run("generate", "--checkpoint", Checkpoint("hybrid"), "--prompt", "the", "--halt-threshold", "0.5");

        Assert.Equal((ExitCodes.BadInput, "hearth-trainer: --halt-threshold is set, but Hybrid nano has no loop to leave early."), (result.Exit, result.Errors.TrimEnd()));
    }

    private string Checkpoint(string family) =>
        SmallCheckpoint.Write(_folder.At("checkpoints"), SmallCheckpoint.Model(family), SmallCheckpoint.Tokenizer(TokenizerKinds.ByteBpe));
}
