using Hearth.Tokenizers;

namespace Hearth.Training.Chat;

/// <summary>
/// VUAF: <c>&lt;bos&gt;&lt;|cat:NAME|&gt;</c>, then <c>&lt;|turn|&gt;</c>, role and text for each message; a training row ends with
/// <c>&lt;eos&gt;</c>.
/// </summary>
/// <param name="category">One of the tokenizer's categories.</param>
public sealed class VuafChat(string category) : IChatTemplate
{
    private readonly string _open = SpecialTokens.Begin + SpecialTokens.Category(category);

    public IReadOnlyList<string> Structure { get; } = [.. SpecialTokens.Core.Skip(1), SpecialTokens.Category(category)];

    public string AssistantHeader => SpecialTokens.Assistant;

    public IReadOnlyList<string> StopTokens { get; } = [SpecialTokens.End, SpecialTokens.Turn];

    public string Render(IReadOnlyList<ChatMessage> messages) => _open + Turns(messages) + SpecialTokens.End;

    public string Prompt(IReadOnlyList<ChatMessage> messages) => _open + Turns(messages) + SpecialTokens.Turn + AssistantHeader;

    public string Next(string message) => Turns([new ChatMessage(ChatRole.User, message)]) + SpecialTokens.Turn + AssistantHeader;

    /// <summary>A pretraining row of a document.</summary>
    public string Document(string meta, string text) => _open + SpecialTokens.MetaOpen + meta + SpecialTokens.MetaClose + text + SpecialTokens.End;

    private static string Turns(IReadOnlyList<ChatMessage> messages) => string.Concat(messages.Select(m => SpecialTokens.Turn + Role(m.Role) + m.Text));

    internal static string Role(ChatRole role) => role switch
    {
        ChatRole.System => SpecialTokens.System,
        ChatRole.User => SpecialTokens.User,
        _ => SpecialTokens.Assistant,
    };
}
