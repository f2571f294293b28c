using Hearth.Tokenizers;

namespace Hearth.Training.Serving;

/// <summary>Text out of tokens as they come. A character may span tokens, so a piece holds whole characters only.</summary>
public sealed class TextPieces(ITokenizer tokenizer, IReadOnlyList<int> prompt)
{
    private readonly List<int> _open = [];
    private IReadOnlyList<int> _before = prompt;

    /// <summary>What the token adds to the text; empty while its last character is not complete.</summary>
    public string Add(int id)
    {
        _open.Add(id);
        string text = tokenizer.DecodeAfter(_before, _open);
        if (text.Length == 0 || text[^1] == '\uFFFD')
        {
            return "";
        }

        // Text depends on what stands right before it alone: decoding all of it for each token would take time with the square of its length.
        _before = [.. _open];
        _open.Clear();
        return text;
    }

    /// <summary>What a token would add here.</summary>
    public string Peek(int id) => tokenizer.DecodeAfter(_before, [.. _open, id]);
}
