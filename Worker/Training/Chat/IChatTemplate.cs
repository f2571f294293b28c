namespace Hearth.Training.Chat;

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

    /// <summary>A conversation that the assistant is to go on with.</summary>
    string Prompt(IReadOnlyList<ChatMessage> messages);

    /// <summary>What comes between an answer, without the token that ended it, and the next one: the user's message and the assistant's header.</summary>
    string Next(string message);

    /// <summary>Text that ends an answer too, looked for in each piece of it, hence one character; null = only tokens do.</summary>
    string? StopText => null;
}
