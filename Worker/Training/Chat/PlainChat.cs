using Hearth.Tokenizers;

namespace Hearth.Training.Chat;

/// <summary>
/// Turns as plain lines with names in front, for tokenizers without tokens of a template. A model that was only pretrained answers with one line;
/// one that was tuned ends its turn with the end token, so that an answer may have several.
/// </summary>
/// <param name="tuned">Whether the end token alone ends an answer.</param>
public sealed class PlainChat(bool tuned = false) : IChatTemplate
{
    public IReadOnlyList<string> Structure { get; } = tuned ? [SpecialTokens.End] : [];

    public string AssistantHeader => "Assistant:";

    public IReadOnlyList<string> StopTokens { get; } = [SpecialTokens.End];

    public string? StopText => tuned ? null : "\n";

    public string Render(IReadOnlyList<ChatMessage> messages) => string.Concat(Pieces(messages).Select(p => p.Text));

    public string Prompt(IReadOnlyList<ChatMessage> messages) => Render(messages) + AssistantHeader;

    public string Next(string message) => (tuned ? SpecialTokens.End : "") + "\n" + Prompt([new ChatMessage(ChatRole.User, message)]);

    /// <inheritdoc/>
    public IEnumerable<ChatPiece> Pieces(IReadOnlyList<ChatMessage> messages)
    {
        string before = "";
        foreach (var message in messages)
        {
            if (message.Role != ChatRole.Assistant)
            {
                before += $"{message.Role}: {message.Text}\n";
                continue;
            }

            yield return new ChatPiece(before + AssistantHeader, FromAssistant: false);
            yield return new ChatPiece($" {message.Text}{(tuned ? SpecialTokens.End : "")}", FromAssistant: true);
            before = "\n";
        }

        if (before.Length > 0)
        {
            yield return new ChatPiece(before, FromAssistant: false);
        }
    }
}
