using System.Globalization;
using Hearth.Runs;
using Hearth.Training.Chat;
using Hearth.Training.Tokenizers;

namespace Hearth.Training.Data;

/// <summary>Documents that were left out, with the first of them and why.</summary>
public sealed record LeftOut(long Count, IReadOnlyList<string> Examples);

/// <summary>
/// Turns conversations into ids and targets. One that its template cannot write (a message holds one of the template's tokens) is left out and counted;
/// over a tenth of them and the dataset is refused.
/// </summary>
/// <param name="tokenizer">Of the checkpoint that is tuned.</param>
/// <param name="how">How they are written.</param>
internal sealed class ChatPacking(ITokenizer tokenizer, SftSpec how)
{
    private const int MostExamples = 5;
    private const double MostLeftOut = 0.1;
    private readonly IChatTemplate _template = ChatTemplates.Tuned(tokenizer, how);
    private readonly List<string> _examples = [];
    private long _leftOut, _all;

    /// <summary>What was left out so far; null = nothing.</summary>
    internal LeftOut? LeftOut => _leftOut == 0 ? null : new LeftOut(_leftOut, _examples);

    /// <summary>The row of a conversation; null where it is left out.</summary>
    internal ChatTokens? Encode(Document document)
    {
        _all++;
        try
        {
            return ChatTokens.Row(tokenizer, _template, [.. document.Turns!.Select(t => ChatMessage.Of(t.Role, t.Content))]);
        }
        catch (ChatException e)
        {
            _leftOut++;
            if (_examples.Count < MostExamples)
            {
                _examples.Add($"{document.Name}: {e.Message}");
            }

            return null;
        }
    }

    /// <exception cref="DatasetException">Too many were left out; says how many and why.</exception>
    internal void Check()
    {
        if (_leftOut > MostLeftOut * _all)
        {
            throw new DatasetException(string.Create(
                CultureInfo.InvariantCulture,
                $"{_leftOut} of {_all} conversations cannot be written with the chat template {how.Template}: {string.Join(" ", _examples)} Allowed: at most a tenth."));
        }
    }
}
