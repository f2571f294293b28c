using Hearth.Training.Tokenizers;

namespace Hearth.Training.Chat;

/// <summary>Templates by name.</summary>
public static class ChatTemplates
{
    public const string VuafName = "vuaf";
    public const string ChatMlName = "chatml";

    public static IReadOnlyList<string> Names { get; } = [VuafName, ChatMlName];

    /// <summary>The one whose tokens the tokenizer has; plain lines where it has none of them.</summary>
    public static IChatTemplate For(ITokenizer tokenizer, string? category = null, bool think = false) =>
        Names.Select(name => Create(name, category, think)).FirstOrDefault(template => template.Structure.All(token => tokenizer.Special(token) >= 0)) ?? new PlainChat();

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
