using Hearth.Training.Tokenizers;

namespace Hearth.Training.Chat;

/// <summary>Turns as plain lines with names in front, for tokenizers without tokens of a template: an answer is one line.</summary>
public sealed class PlainChat : IChatTemplate
{
    public IReadOnlyList<string> Structure { get; } = [];

    public string AssistantHeader => "Assistant:";

    public IReadOnlyList<string> StopTokens { get; } = [SpecialTokens.End];

    public string StopText => "\n";

    public string Render(IReadOnlyList<ChatMessage> messages) => string.Concat(messages.Select(m => $"{m.Role}: {m.Text}\n"));

    public string Prompt(IReadOnlyList<ChatMessage> messages) => Render(messages) + AssistantHeader;

    public string Next(string message) => "\n" + Prompt([new ChatMessage(ChatRole.User, message)]);
}
