using Hearth.Models;
using Hearth.Runs;
using Hearth.Training.Chat;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>Conversations over standard input, and a session that carries one on.</summary>
public sealed class ChatCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly DisposeScope _scope = torch.NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("vuaf", TokenizerKinds.SentencePiece)]
    [InlineData("positronic", TokenizerKinds.LengthMax)]
    [InlineData("qovaryx", TokenizerKinds.ByteBpe)]
    public void Each_line_is_a_turn_and_gets_an_answer(string family, string tokenizer)
    {
        string checkpoint = SmallCheckpoint.Write(_folder.At("checkpoints"), SmallCheckpoint.Model(family), SmallCheckpoint.Tokenizer(tokenizer));
        string[] words = ["chat", checkpoint, "--max-tokens", "6", "--seed", "3"];

        var result = TrainerCommandLine.Run(words, "the cat\n\nthe birds\n");

        Assert.Equal((ExitCodes.Done, ""), (result.Exit, result.Errors));
        Assert.True(result.Output.Count(c => c == '\n') >= 2, result.Output);
        Assert.Equal(result.Output, TrainerCommandLine.Run(words, "the cat\n\nthe birds\n").Output);
    }

    [Fact]
    public void A_later_turn_goes_on_from_what_was_said_and_a_full_text_starts_anew()
    {
        var trained = new TrainedModel(SmallCheckpoint.Model("vuaf"), SmallCheckpoint.Tokenizer(TokenizerKinds.SentencePiece));
        using var conversation = new Conversation(trained, new VuafChat("_reserved_0"), new Sampling(), null);
        _ = string.Concat(conversation.Say("the cat", 4));
        int first = conversation.Length;

        _ = string.Concat(conversation.Say("the birds", 4));
        int second = conversation.Length;
        _ = string.Concat(conversation.Say("fly", trained.Model.Plan.MaxSeqLen));

        Assert.True(second > first, "the second turn began a new text");
        Assert.True(conversation.Length <= trained.Model.Plan.MaxSeqLen);
    }
}
