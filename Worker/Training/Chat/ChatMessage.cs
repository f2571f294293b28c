using Hearth.Data;

namespace Hearth.Training.Chat;

public enum ChatRole
{
    System,
    User,
    Assistant,
}

/// <summary>One turn of a conversation.</summary>
public sealed record ChatMessage(ChatRole Role, string Text)
{
    /// <param name="role"><see cref="ChatRow.System"/>, <see cref="ChatRow.User"/> or <see cref="ChatRow.Assistant"/>.</param>
    /// <param name="text">What is said.</param>
    /// <exception cref="ChatException">The role is another one; says which.</exception>
    public static ChatMessage Of(string role, string text) => new(
        role switch
        {
            ChatRow.System => ChatRole.System,
            ChatRow.User => ChatRole.User,
            ChatRow.Assistant => ChatRole.Assistant,
            _ => throw new ChatException($"A turn's role is {role}. Allowed: {ChatRow.System}, {ChatRow.User}, {ChatRow.Assistant}."),
        },
        text);
}

/// <summary>A conversation that a template cannot write; the message names the turn.</summary>
public sealed class ChatException(string message) : Exception(message);
