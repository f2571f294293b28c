using Hearth.Models;
using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Chat;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>Conversations over standard input, and a session that carries one on.</summary>
public sealed class ChatCommandTests : CheckpointTest
{
    [Theory]
    [InlineData("vuaf", TokenizerKinds.SentencePiece)]
    [InlineData("positronic", TokenizerKinds.LengthMax)]
    [InlineData("qovaryx", TokenizerKinds.ByteBpe)]
    public void Each_line_is_a_turn_and_gets_an_answer(string family, string tokenizer)
    {
        string checkpoint = SmallCheckpoint.Write(At("checkpoints"), SmallCheckpoint.Model(family), SmallCheckpoint.Tokenizer(tokenizer));
        string[] words = ["chat", checkpoint, "--max-tokens", "6", "--seed", "3"];

        var result = TrainerCommandLine.Run(words, "the cat\n\nthe birds\n");

        Assert.Equal((ExitCodes.Done, ""), (result.Exit, result.Errors));
        Assert.True(result.Output.Count(c => c == '\n') >= 2, result.Output);
        Assert.Equal(result.Output, TrainerCommandLine.Run(words, "the cat\n\nthe birds\n").Output);
    }

    [Theory]
    [InlineData("vuaf", TokenizerKinds.SentencePiece)]
    [InlineData("qovaryx", TokenizerKinds.ByteBpe)]
    [InlineData("moa", TokenizerKinds.ByteBpe)]
    [InlineData("hybrid", TokenizerKinds.SentencePiece)]
    public void A_later_turn_is_answered_as_the_whole_conversation_from_scratch(string family, string kind)
    {
        const int Most = 5;
        var (model, tokenizer) = (SmallCheckpoint.Model(family, torch.float64), SmallCheckpoint.Tokenizer(kind));
        using (torch.no_grad())
        {
            // A barely moved model says one token whatever it was told.
            model.Parameters.Where(p => p.shape.Length == 2).ToList().ForEach(p => p.mul_(3));
        }

        var template = ChatTemplates.For(tokenizer);
        using var conversation = new Conversation(new TrainedModel(model, tokenizer), template, new Sampling(), null);
        string first = string.Concat(conversation.Say("the cat", Most)), second = string.Concat(conversation.Say("two birds", Most));

        int[] opening = ChatTokens.Prompt(tokenizer, template, [new ChatMessage(ChatRole.User, "the cat")]);
        int[] answer = Answer(opening);
        int[] header = tokenizer.Encode(template.AssistantHeader);
        int[] next = tokenizer.Encode(template.AssistantHeader + template.Next("two birds"))[header.Length..];
        int[] later = Answer([.. opening, .. answer, .. next]);

        Assert.Equal((Text(answer), Text(later)), (first, second));
        Assert.Equal(opening.Length + answer.Length + next.Length + Most - 1, conversation.Length);

        int[] Answer(int[] before) => [.. Sampler.Generate(model, before, Most, new Sampling())];
        string Text(int[] ids) => tokenizer.DecodeAfter(opening, ids).TrimEnd('\uFFFD');
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
