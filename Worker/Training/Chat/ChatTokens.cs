using Hearth.Models;
using Hearth.Tokenizers;

namespace Hearth.Training.Chat;

/// <summary>A conversation as ids, and which of them the assistant said: those a loss on assistant turns counts.</summary>
public sealed record ChatTokens(int[] Ids, bool[] FromAssistant)
{
    /// <summary>Unshifted labels: the ids of assistant turns with what ends them, −100 elsewhere.</summary>
    public int[] Labels() => [.. Ids.Select((id, at) => FromAssistant[at] ? id : TrainingRows.Ignored)];

    /// <summary>A training row.</summary>
    /// <exception cref="ChatException">A message cannot be written; names it.</exception>
    /// <exception cref="TokenizerException">The tokenizer lacks a token of the template.</exception>
    public static ChatTokens Row(ITokenizer tokenizer, IChatTemplate template, IReadOnlyList<ChatMessage> messages)
    {
        Check(tokenizer, template, messages);
        if (template.Pieces(messages) is { } pieces)
        {
            return Joined(tokenizer, pieces);
        }

        int[] ids = tokenizer.Encode(template.Render(messages));
        return new ChatTokens(ids, Mask(ids, tokenizer.Special(template.AssistantHeader), Stops(tokenizer, template)));
    }

    /// <summary>The ids that generation goes on from.</summary>
    /// <exception cref="ChatException">A message cannot be written; names it.</exception>
    /// <exception cref="TokenizerException">The tokenizer lacks a token of the template.</exception>
    public static int[] Prompt(ITokenizer tokenizer, IChatTemplate template, IReadOnlyList<ChatMessage> messages)
    {
        Check(tokenizer, template, messages);
        return tokenizer.Encode(template.Prompt(messages));
    }

    /// <summary>Ids that end the assistant's turn.</summary>
    public static IReadOnlySet<int> Stops(ITokenizer tokenizer, IChatTemplate template) => template.StopTokens.Select(tokenizer.Special).ToHashSet();

    private static ChatTokens Joined(ITokenizer tokenizer, IEnumerable<ChatPiece> pieces)
    {
        var (ids, mask, before) = (new List<int>(), new List<bool>(), "");
        foreach (var piece in pieces)
        {
            int[] added = tokenizer.EncodeAfter(before, piece.Text);
            ids.AddRange(added);
            mask.AddRange(Enumerable.Repeat(piece.FromAssistant, added.Length));
            before = piece.Text;
        }

        return new ChatTokens([.. ids], [.. mask]);
    }

    // The header only opens a turn; the stop token belongs to it, for the model must learn to stop.
    private static bool[] Mask(int[] ids, int header, IReadOnlySet<int> stops)
    {
        bool[] mask = new bool[ids.Length];
        bool speaking = false;
        for (int i = 0; i < ids.Length; i++)
        {
            mask[i] = speaking;
            speaking = ids[i] == header || (speaking && !stops.Contains(ids[i]));
        }

        return mask;
    }

    private static void Check(ITokenizer tokenizer, IChatTemplate template, IReadOnlyList<ChatMessage> messages)
    {
        if (template.Structure.FirstOrDefault(token => tokenizer.Special(token) < 0) is { } missing)
        {
            throw new TokenizerException($"The tokenizer has no token {missing}. Allowed: one with {string.Join(' ', template.Structure)}.");
        }

        if (messages.Count == 0)
        {
            throw new ChatException("messages is empty. Allowed: at least one.");
        }

        for (int i = 0; i < messages.Count; i++)
        {
            if (i > 0 && messages[i].Role == ChatRole.System)
            {
                throw new ChatException($"messages[{i}].role is system. Allowed: system for the first message only.");
            }

            if (template.Structure.FirstOrDefault(token => messages[i].Text.Contains(token, StringComparison.Ordinal)) is { } inside)
            {
                throw new ChatException($"messages[{i}].text contains {inside}. Allowed: text without the template's tokens.");
            }
        }
    }
}
