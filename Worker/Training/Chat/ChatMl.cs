using Hearth.Tokenizers;

namespace Hearth.Training.Chat;

/// <summary>
/// Positronic's ChatML: each message is <c>&lt;|im_start|&gt;</c>, its role's token, its text and <c>&lt;|im_end|&gt;</c>. No line
/// breaks stand between: roles are tokens, and a longest-match tokenizer would join a line break with the text after it.
/// </summary>
/// <param name="think">The prompt opens the assistant's turn with <c>&lt;think&gt;</c>, which forces reasoning.</param>
public sealed class ChatMl(bool think = false) : IChatTemplate
{
    public IReadOnlyList<string> Structure { get; } = [SpecialTokens.ChatStart, SpecialTokens.ChatEnd, SpecialTokens.System, SpecialTokens.User, SpecialTokens.Assistant];

    public string AssistantHeader => SpecialTokens.Assistant;

    public IReadOnlyList<string> StopTokens { get; } = [SpecialTokens.ChatEnd];

    public string Render(IReadOnlyList<ChatMessage> messages) =>
        string.Concat(messages.Select(m => SpecialTokens.ChatStart + VuafChat.Role(m.Role) + m.Text + SpecialTokens.ChatEnd));

    public string Prompt(IReadOnlyList<ChatMessage> messages) =>
        Render(messages) + SpecialTokens.ChatStart + AssistantHeader + (think ? SpecialTokens.Think : "");

    public string Next(string message) => SpecialTokens.ChatEnd + Prompt([new ChatMessage(ChatRole.User, message)]);
}
