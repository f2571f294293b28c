using Hearth.Training.Tokenizers;

namespace Hearth.Training.Chat;

/// <summary>Templates by name.</summary>
public static class ChatTemplates
{
    public const string VuafName = "vuaf";
    public const string ChatMlName = "chatml";

    public static IReadOnlyList<string> Names { get; } = [VuafName, ChatMlName];

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
