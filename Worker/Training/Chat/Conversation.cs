using Hearth.Models;
using Hearth.Tokenizers;
using Hearth.Training.Serving;

namespace Hearth.Training.Chat;

/// <summary>
/// A conversation with a model. One decoding session carries it on, each turn feeding only what is new; when the model's longest text
/// is reached, a new session starts from the last turn, with what a family's memory kept of the turns before.
/// </summary>
public sealed class Conversation : IDisposable
{
    private readonly TrainedModel _trained;
    private readonly IChatTemplate _template;
    private readonly Sampling _how;
    private readonly ChatMessage[] _opening;
    private readonly IReadOnlySet<int> _stops;
    private IDecodeSession? _session;
    private readonly TokenDraw _draw;
    private int _length;
    private int _pending = -1;

    /// <param name="trained">Model and tokenizer.</param>
    /// <param name="template">How turns are written.</param>
    /// <param name="how">Choice of tokens.</param>
    /// <param name="system">What stands before the first turn; null = nothing.</param>
    public Conversation(TrainedModel trained, IChatTemplate template, Sampling how, string? system)
    {
        (_trained, _template, _how, _draw) = (trained, template, how, new TokenDraw(how, trained.Model.Plan.Decoding));
        _opening = system is null ? [] : [new ChatMessage(ChatRole.System, system)];
        _stops = ChatTokens.Stops(trained.Tokenizer, template);
        if (trained.Model is IRingMemory memory)
        {
            memory.KeepRingMemory = true;
        }
    }

    /// <summary>Tokens that the session has been fed.</summary>
    public int Length => _length;

    /// <summary>The answer to a message, in pieces as they come; the caller reads it to its end.</summary>
    /// <exception cref="ChatException">The message cannot be written; says why.</exception>
    public IEnumerable<string> Say(string message, int maxTokens)
    {
        var (model, tokenizer) = _trained;
        int longest = model.Plan.MaxSeqLen;
        int[] opening = ChatTokens.Prompt(tokenizer, _template, [.. _opening, new ChatMessage(ChatRole.User, message)]);
        int[] next = Following(_template.Next(message));
        if (_session is null || _length + next.Length + maxTokens > longest)
        {
            _session?.Dispose();
            _session = Sampler.Start(model, _how);
            (_length, next) = (0, Sampler.Fitting(opening, maxTokens, longest));
        }

        var pieces = new TextPieces(tokenizer, opening);
        for (int n = 0; n < maxTokens && _length + next.Length <= longest; n++)
        {
            int token = Sampler.Next(model, _session, next, _draw).Token;
            (_length, _pending) = (_length + next.Length, -1);
            if (_stops.Contains(token))
            {
                yield break;
            }

            string text = pieces.Add(token);
            int stop = _template.StopText is { } end ? text.IndexOf(end, StringComparison.Ordinal) : -1;
            if (text.Length > 0 && stop != 0)
            {
                yield return stop < 0 ? text : text[..stop];
            }

            if (stop >= 0)
            {
                yield break;
            }

            (_pending, next) = (token, [token]);
        }
    }

    public void Dispose() => _session?.Dispose();

    // An answer that was cut at its limit has a last token that the session has not seen.
    private int[] Following(string text)
    {
        int[] added = _trained.Tokenizer.EncodeAfter(_template.AssistantHeader, text);
        return _pending < 0 ? added : [_pending, .. added];
    }
}
