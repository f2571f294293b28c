namespace Hearth.Training.Chat;

/// <summary>A stretch of a conversation's text.</summary>
/// <param name="Text">As it is written.</param>
/// <param name="FromAssistant">Said by the assistant, with what ends its turn.</param>
public readonly record struct ChatPiece(string Text, bool FromAssistant);

/// <summary>How a family writes conversations. Pure: messages in, text out; its structure tokens are special tokens of the tokenizer.</summary>
public interface IChatTemplate
{
    /// <summary>Tokens of the structure; none may stand in a message.</summary>
    IReadOnlyList<string> Structure { get; }

    /// <summary>What an assistant's text follows.</summary>
    string AssistantHeader { get; }

    /// <summary>What ends an assistant's turn, and stops generation.</summary>
    IReadOnlyList<string> StopTokens { get; }

    /// <summary>A whole conversation, as a training row.</summary>
    string Render(IReadOnlyList<ChatMessage> messages);

    /// <summary>
    /// The same text in stretches that are encoded one by one, each prompt as generation encodes it; null where <see cref="AssistantHeader"/> is one token,
    /// which tells them apart in the ids of the whole.
    /// </summary>
    IEnumerable<ChatPiece>? Pieces(IReadOnlyList<ChatMessage> messages) => null;

    /// <summary>A conversation that the assistant is to go on with.</summary>
    string Prompt(IReadOnlyList<ChatMessage> messages);

    /// <summary>What comes between an answer, without the token that ended it, and the next one: the user's message and the assistant's header.</summary>
    string Next(string message);

    /// <summary>Text that ends an answer too, looked for in each piece of it, hence one character; null = only tokens do.</summary>
    string? StopText => null;
}
