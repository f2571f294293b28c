namespace Hearth.Training.Chat;

public enum ChatRole
{
    System,
    User,
    Assistant,
}

/// <summary>One turn of a conversation.</summary>
public sealed record ChatMessage(ChatRole Role, string Text);

/// <summary>A conversation that a template cannot write; the message names the turn.</summary>
public sealed class ChatException(string message) : Exception(message);
