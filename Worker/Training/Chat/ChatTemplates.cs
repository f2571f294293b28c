using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tokenizers;

namespace Hearth.Training.Chat;

/// <summary>Templates by name.</summary>
public static class ChatTemplates
{
    public const string VuafName = "vuaf";
    public const string ChatMlName = "chatml";

    public static IReadOnlyList<string> Names { get; } = [VuafName, ChatMlName];

    /// <summary>The one whose tokens the tokenizer has; plain lines where it has none of them.</summary>
    public static IChatTemplate For(ITokenizer tokenizer, string? category = null, bool think = false) => Found(tokenizer, category, think) ?? new PlainChat();

    /// <summary>The one that a model was tuned with; of one that was not, by its tokenizer.</summary>
    public static IChatTemplate For(TrainedModel trained, string? category = null, bool think = false) => trained.Tuning is { } tuning
        ? Tuned(trained.Tokenizer, category is null ? tuning : tuning with { Category = category }, think)
        : For(trained.Tokenizer, category, think);

    /// <summary>What a run of supervised fine-tuning writes its conversations in.</summary>
    /// <exception cref="ChatException">The tokenizer has no such category.</exception>
    /// <exception cref="TokenizerException">The tokenizer lacks a token of the template.</exception>
    public static IChatTemplate Tuned(ITokenizer tokenizer, SftSpec tuning, bool think = false)
    {
        string? category = tuning.Category.Length > 0 ? tuning.Category : null;
        var template = tuning.Template switch
        {
            ChatTemplateNames.Auto => Found(tokenizer, category, think) ?? new PlainChat(tuned: true),
            ChatTemplateNames.Plain => new PlainChat(tuned: true),
            var name => Create(name, category, think),
        };
        return template.Structure.FirstOrDefault(token => tokenizer.Special(token) < 0) is { } missing
            ? throw new TokenizerException($"The tokenizer has no token {missing}, which the chat template {tuning.Template} writes. Allowed for sft.template and sft.category: what the tokenizer's tokens can write, or plain.")
            : template;
    }

    private static IChatTemplate? Found(ITokenizer tokenizer, string? category, bool think) =>
        Names.Select(name => Create(name, category, think)).FirstOrDefault(template => template.Structure.All(token => tokenizer.Special(token) >= 0));

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="category">VUAF's training category; null = its first reserved slot.</param>
    /// <param name="think">Whether ChatML prompts force reasoning.</param>
    /// <exception cref="ChatException">No template has the name.</exception>
    public static IChatTemplate Create(string name, string? category = null, bool think = false) => name switch
    {
        VuafName => new VuafChat(category ?? SpecialTokens.ReservedCategory(0)),
        ChatMlName => new ChatMl(think),
        _ => throw new ChatException($"The chat template is {name}. Allowed: {string.Join(", ", Names)}."),
    };
}
