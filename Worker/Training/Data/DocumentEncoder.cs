using Hearth.Runs;
using Hearth.Tokenizers;
using Hearth.Training.Chat;

namespace Hearth.Training.Data;

/// <summary>A document as it stands in a shard.</summary>
/// <param name="Ids">Its tokens, what ends it among them.</param>
/// <param name="Targets">Which of them are targets; null = all.</param>
/// <param name="Fault">Why it cannot be written, and is left out; null = it can.</param>
internal readonly record struct EncodedDocument(int[] Ids, bool[]? Targets, string? Fault = null);

/// <summary>Turns documents into tokens: texts with the end token behind, conversations as their template writes them. Of one thread at a time.</summary>
internal sealed class DocumentEncoder
{
    private readonly ITokenizer _tokenizer;
    private readonly IChatTemplate? _template;

    /// <param name="tokenizer">Of the model; the encoder has one of its own, since words that it met are kept.</param>
    /// <param name="chat">How conversations are written; null = documents are texts.</param>
    internal DocumentEncoder(ITokenizer tokenizer, SftSpec? chat)
    {
        _tokenizer = TokenizerFile.Parse(tokenizer.FileName, tokenizer.File);
        _template = chat is null ? null : ChatTemplates.Tuned(_tokenizer, chat);
    }

    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    internal EncodedDocument Encode(Document document, LongStep step)
    {
        step.Stop.ThrowIfCancellationRequested();
        if (_template is null)
        {
            return new([.. _tokenizer.Encode(document.Text, step), _tokenizer.EndToken], null);
        }

        try
        {
            var row = ChatTokens.Row(_tokenizer, _template, [.. document.Turns!.Select(t => ChatMessage.Of(t.Role, t.Content))]);
            return new(row.Ids, row.FromAssistant);
        }
        catch (ChatException e)
        {
            return new([], null, $"{document.Name}: {e.Message}");
        }
    }
}
