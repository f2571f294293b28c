using System.Diagnostics;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Training.Chat;

namespace Hearth.Training.Serving;

/// <summary>Answers one request with a loaded model: a token event for each token, then what it took.</summary>
public sealed class Answer
{
    private readonly TrainedModel _trained;
    private readonly GenerationRequest _request;
    private readonly Sampling _how;
    private readonly IReadOnlySet<int> _stops;
    private readonly string? _stopText;
    private readonly int[] _prompt;
    private readonly TextPieces _pieces;
    private readonly Speculation? _speculation;

    /// <exception cref="BadInputException">The model cannot do what is asked; says what.</exception>
    /// <exception cref="ChatException">A message cannot be written; names it.</exception>
    public Answer(TrainedModel trained, GenerationRequest request)
    {
        (_trained, _request) = (trained, request);
        var (model, tokenizer) = trained;
        _how = new Sampling(request.Temperature, request.TopK, (ulong)request.Seed, Exit(model, request)) { TopP = request.TopP, MinP = request.MinP, RepetitionPenalty = request.RepetitionPenalty };
        _speculation = request.Speculative ? Speculate(model, request) : null;
        SetMemory(model, request);
        var template = request.Messages is null ? null : Template(request);
        _stops = template is null ? new HashSet<int> { tokenizer.EndToken } : ChatTokens.Stops(tokenizer, template);
        _stopText = template?.StopText;
        _prompt = template is null ? tokenizer.Encode(request.Prompt ?? "") : ChatTokens.Prompt(tokenizer, template, [.. request.Messages!.Select(turn => ChatMessage.Of(turn.Role, turn.Text))]);
        if (_prompt.Length == 0)
        {
            throw new BadInputException("prompt is empty. Allowed: at least one character.");
        }

        _pieces = new TextPieces(tokenizer, _prompt);
    }

    /// <summary>All but a failure: tokens, then done.</summary>
    public IEnumerable<GenerationEvent> Events()
    {
        var clock = Stopwatch.StartNew();
        int count = 0, loops = 0, kept = 0;
        double first = 0;
        string reason = GenerationDone.Length;
        foreach (var chosen in _speculation is null ? Plainly() : Speculatively(_speculation))
        {
            if (_stops.Contains(chosen.Id))
            {
                reason = GenerationDone.End;
                break;
            }

            var token = Token(chosen, count);
            int stop = _stopText is null ? -1 : token.Text.IndexOf(_stopText, StringComparison.Ordinal);
            (count, loops, kept) = (count + 1, loops + (token.Loops ?? 0), kept + (token.Drafted ? 1 : 0));
            first = count == 1 ? clock.Elapsed.TotalSeconds : first;
            yield return stop < 0 ? token : token with { Text = token.Text[..stop] };
            if (stop >= 0)
            {
                reason = GenerationDone.End;
                break;
            }
        }

        double seconds = clock.Elapsed.TotalSeconds;
        yield return new GenerationDone(reason, new GenerationStatistics
        {
            PromptTokens = _prompt.Length,
            Tokens = count,
            FirstTokenSeconds = first,
            Seconds = seconds,
            TokensPerSecond = count > 1 ? (count - 1) / (seconds - first) : 0,
            MeanLoops = loops > 0 ? (double)loops / count : null,
            Passes = _speculation?.Stats.Rounds,
            Drafted = _speculation?.Stats.Drafted,
            DraftsKept = _speculation is null ? null : kept,
        });
    }

    private IEnumerable<Chosen> Plainly()
    {
        var model = _trained.Model;
        int longest = model.Plan.MaxSeqLen, depth = model.Plan.Decoding.Loops;
        int[] ids = Sampler.Fitting(_prompt, _request.MaxTokens, longest);
        var draw = new TokenDraw(_how, model.Plan.Decoding);
        using var session = Sampler.Start(model, _how);
        for (int n = 0, length = ids.Length; n < _request.MaxTokens && length < longest; n++, length++)
        {
            var next = Sampler.Next(model, session, ids, draw, out double[] logits);
            int? loops = depth == 1 ? null : (next.LoopStep ?? (depth - 1)) + 1;
            yield return new Chosen(next.Token, logits) { Loops = loops, Halting = next.LoopStep is null ? null : (session as IExitSession)?.Halting[0] };
            ids = [next.Token];
        }
    }

    private IEnumerable<Chosen> Speculatively(Speculation speculation)
    {
        var model = _trained.Model;
        int longest = model.Plan.MaxSeqLen;
        using var session = model.StartDecode();
        foreach (var token in speculation.GenerateSteps((ISpeculativeSession)session, Sampler.Fitting(_prompt, _request.MaxTokens, longest), _request.MaxTokens, longest, _stops))
        {
            yield return new Chosen(token.Token, token.Logits) { Drafted = token.Drafted, Refused = token.Refused };
        }
    }

    private GenerationToken Token(Chosen chosen, int index)
    {
        // Before the token is taken in: these are what could have stood in its place.
        string? refused = chosen.Refused is { } draft ? _pieces.Peek(draft) : null;
        var chances = _request.Chances == 0 ? null
            : Sampler.Likeliest(chosen.Logits.Span, _request.Chances).Select(c => new TokenChance(c.Token, _pieces.Peek(c.Token), c.Probability)).ToList();
        return new GenerationToken
        {
            Index = index,
            Token = chosen.Id,
            Text = _pieces.Add(chosen.Id),
            Loops = chosen.Loops,
            Halting = chosen.Halting,
            Drafted = chosen.Drafted,
            Refused = refused,
            Chances = chances,
        };
    }

    // A looped model stops early by the published rule; at a threshold of 1 every token runs at full depth.
    private static ExitOptions? Exit(LanguageModel model, GenerationRequest request)
    {
        if (model is not IEarlyExit)
        {
            return request.HaltThreshold is null ? null : throw new BadInputException($"halt_threshold is set, but {model.Plan.Title} has no loop to leave early.");
        }

        var exit = new ExitOptions(request.HaltThreshold ?? new ExitOptions().Threshold);
        return exit.Threshold >= 1 ? null : exit;
    }

    private static Speculation Speculate(LanguageModel model, GenerationRequest request)
    {
        if (request.Temperature != 0 || request.RepetitionPenalty != 1)
        {
            throw new BadInputException("speculative decodes greedily. Allowed: with temperature 0 and repetition_penalty 1.");
        }

        using var session = model.StartDecode();
        return session is ISpeculativeSession { MaxDrafts: > 0 } ? new Speculation() : throw new BadInputException($"speculative is set, but {model.Plan.Title} has no heads that draft.");
    }

    private static void SetMemory(LanguageModel model, GenerationRequest request)
    {
        if (model is IRingMemory memory)
        {
            memory.KeepRingMemory = request.KeepMemory;
            memory.SetRingMemoryWriting(!request.FreezeMemory);
        }
        else if (request.KeepMemory || request.FreezeMemory)
        {
            throw new BadInputException($"{(request.KeepMemory ? "keep_memory" : "freeze_memory")} is set, but {model.Plan.Title} has no memory between texts.");
        }
    }

    private IChatTemplate Template(GenerationRequest request) => request.Template switch
    {
        ChatTemplateNames.Auto => ChatTemplates.For(_trained, request.Category, request.Think),
        ChatTemplateNames.Plain => new PlainChat(tuned: _trained.Tuning is not null),
        var name => ChatTemplates.Create(name, request.Category, request.Think),
    };

    private readonly record struct Chosen(int Id, ReadOnlyMemory<double> Logits)
    {
        internal int? Loops { get; init; }

        internal IReadOnlyList<double>? Halting { get; init; }

        internal bool Drafted { get; init; }

        internal int? Refused { get; init; }
    }
}
