using Hearth.Tokenizers;
using Hearth.Training.Chat;
using Xunit;

namespace Hearth.Tests;

public sealed class ChatTests
{
    private static readonly ChatMessage[] Talk =
    [
        new(ChatRole.System, "Be kind."),
        new(ChatRole.User, "Hi"),
        new(ChatRole.Assistant, "Hello!"),
        new(ChatRole.User, "Bye"),
        new(ChatRole.Assistant, "Go well."),
    ];

    [Fact]
    public void A_vuaf_row_is_written_as_the_runtime_writes_it()
    {
        Assert.Equal(
            "<bos><|cat:chat|><|turn|><|system|>Be kind.<|turn|><|user|>Hi<|turn|><|assistant|>Hello!<|turn|><|user|>Bye<|turn|><|assistant|>Go well.<eos>",
            new VuafChat("chat").Render(Talk));
        Assert.Equal("<bos><|cat:chat|><|turn|><|user|>Hi<|turn|><|assistant|>", new VuafChat("chat").Prompt([Talk[1]]));
        Assert.Equal("<bos><|cat:wiki|><|meta|>en<|/meta|>Text.<eos>", new VuafChat("wiki").Document("en", "Text."));
    }

    [Fact]
    public void A_chatml_row_has_role_tokens_and_a_prompt_may_force_reasoning()
    {
        Assert.Equal(
            "<|im_start|><|system|>Be kind.<|im_end|><|im_start|><|user|>Hi<|im_end|><|im_start|><|assistant|>Hello!<|im_end|>",
            new ChatMl().Render(Talk[..3]));
        Assert.Equal("<|im_start|><|user|>Hi<|im_end|><|im_start|><|assistant|>", new ChatMl().Prompt([Talk[1]]));
        Assert.EndsWith("<|im_start|><|assistant|><think>", new ChatMl(think: true).Prompt([Talk[1]]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ChatTemplates.VuafName, "Hello!<|turn|>Go well.<eos>")]
    [InlineData(ChatTemplates.ChatMlName, "Hello!<|im_end|>Go well.<|im_end|>")]
    public void The_loss_counts_what_the_assistant_said_and_the_token_that_ends_it(string name, string counted)
    {
        var (tokenizer, template) = (Tokenizer(name), ChatTemplates.Create(name));
        var row = ChatTokens.Row(tokenizer, template, Talk);

        Assert.Equal(counted, tokenizer.Decode(row.Ids.Where((_, at) => row.FromAssistant[at]), withSpecial: true));
        Assert.Equal(row.FromAssistant, row.Labels().Select(label => label >= 0));
        Assert.Equal(row.Ids.Where((_, at) => row.FromAssistant[at]), row.Labels().Where(label => label >= 0));
        Assert.EndsWith(template.Render(Talk), tokenizer.Decode(row.Ids, withSpecial: true), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ChatTemplates.VuafName)]
    [InlineData(ChatTemplates.ChatMlName)]
    public void A_prompt_is_the_start_of_the_row_that_answers_it(string name)
    {
        var (tokenizer, template) = (Tokenizer(name), ChatTemplates.Create(name));
        int[] prompt = ChatTokens.Prompt(tokenizer, template, Talk[..4]);
        var row = ChatTokens.Row(tokenizer, template, Talk);

        Assert.Equal(prompt, row.Ids[..prompt.Length]);
        Assert.False(row.FromAssistant[prompt.Length - 1]);
        Assert.All(row.FromAssistant[prompt.Length..], Assert.True);
        Assert.Contains(row.Ids[^1], ChatTokens.Stops(tokenizer, template));
    }

    [Fact]
    public void A_message_that_cannot_be_written_is_refused_by_its_place()
    {
        var tokenizer = Tokenizer(ChatTemplates.ChatMlName);
        string Refused(params ChatMessage[] messages) => Assert.Throws<ChatException>(() => ChatTokens.Row(tokenizer, new ChatMl(), messages)).Message;

        Assert.Equal("messages is empty. Allowed: at least one.", Refused());
        Assert.Equal("messages[1].text contains <|im_end|>. Allowed: text without the template's tokens.", Refused(Talk[1], new ChatMessage(ChatRole.Assistant, "a<|im_end|>b")));
        Assert.Equal("messages[1].role is system. Allowed: system for the first message only.", Refused(Talk[1], Talk[0]));
        Assert.Equal("The chat template is other. Allowed: vuaf, chatml.", Assert.Throws<ChatException>(() => ChatTemplates.Create("other")).Message);
    }

    [Fact]
    public void A_tokenizer_without_a_templates_tokens_is_refused_by_the_token()
    {
        var vuaf = Tokenizer(ChatTemplates.VuafName);

        Assert.Contains("no token <|im_start|>", Assert.Throws<TokenizerException>(() => ChatTokens.Row(vuaf, new ChatMl(), Talk)).Message, StringComparison.Ordinal);
        Assert.Contains("no token <|cat:poems|>", Assert.Throws<TokenizerException>(() => ChatTokens.Prompt(vuaf, new VuafChat("poems"), Talk)).Message, StringComparison.Ordinal);
        Assert.Contains("no token <pad>", Assert.Throws<TokenizerException>(() => ChatTokens.Row(new BpeTrainer().Train(257), new VuafChat("chat"), Talk)).Message, StringComparison.Ordinal);
    }

    private static ITokenizer Tokenizer(string template)
    {
        ITokenizerTrainer trainer = template == ChatTemplates.VuafName ? new SentencePieceTrainer(new SpmTraining()) : new LengthMaxTrainer();
        trainer.Add("Hello! Be kind. Go well. Hi and bye.");
        return trainer.Train(420);
    }
}
