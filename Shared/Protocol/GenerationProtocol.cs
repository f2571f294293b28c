using System.Text.Json.Serialization;

namespace Hearth.Protocol;

/// <summary>What a checkpoint is asked for: the continuation of a text, or the next turn of a conversation.</summary>
public record GenerationRequest
{
    /// <summary>Text to go on with; null where <see cref="Messages"/> is given.</summary>
    public string? Prompt { get; init; }

    /// <summary>A conversation that ends with a user's turn; null where <see cref="Prompt"/> is given.</summary>
    public IReadOnlyList<ChatTurn>? Messages { get; init; }

    /// <summary><c>auto</c> (the one whose tokens the tokenizer has), <c>vuaf</c>, <c>chatml</c> or <c>plain</c>. Read with messages only.</summary>
    public string Template { get; init; } = ChatTemplateNames.Auto;

    /// <summary>A category of VUAF's template; null = its default.</summary>
    public string? Category { get; init; }

    /// <summary>ChatML: the answer begins with reasoning.</summary>
    public bool Think { get; init; }
    public int MaxTokens { get; init; } = 128;

    /// <summary>0 takes the likeliest token.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Keep the k likeliest tokens; 0 keeps all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Of those, keep the likeliest whose probabilities add up to at most this.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Of those, drop what is less likely than this share of the likeliest.</summary>
    public double MinP { get; init; }

    /// <summary>Over 1, tokens that the text has already become less likely.</summary>
    public double RepetitionPenalty { get; init; } = 1;
    public long Seed { get; init; }

    /// <summary>A looped model leaves its loop here; 1 = full depth; null = the family's own.</summary>
    public double? HaltThreshold { get; init; }

    /// <summary>Heads for further tokens draft and the main head verifies; with temperature 0 only.</summary>
    public bool Speculative { get; init; }

    /// <summary>Starts from what the requests before left in a family's memory, as long as its worker keeps the model loaded.</summary>
    public bool KeepMemory { get; init; }

    /// <summary>A family's memory is read and not written.</summary>
    public bool FreezeMemory { get; init; }

    /// <summary>So many of the likeliest tokens are told beside each token.</summary>
    public int Chances { get; init; }
}

/// <summary>One turn of a conversation.</summary>
/// <param name="Role"><c>system</c> (first only), <c>user</c> or <c>assistant</c>.</param>
public sealed record ChatTurn(string Role, string Text);

/// <summary>Words for <see cref="GenerationRequest.Template"/>.</summary>
public static class ChatTemplateNames
{
    public const string Auto = "auto";
    public const string Vuaf = "vuaf";
    public const string ChatMl = "chatml";
    public const string Plain = "plain";

    public static IReadOnlyList<string> All { get; } = [Auto, Vuaf, ChatMl, Plain];
}

/// <summary>What happens to a request, in order. The last one is done, stopped or failed.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(GenerationLoading), GenerationEventNames.Loading)]
[JsonDerivedType(typeof(GenerationToken), GenerationEventNames.Token)]
[JsonDerivedType(typeof(GenerationDone), GenerationEventNames.Done)]
[JsonDerivedType(typeof(GenerationStopped), GenerationEventNames.Stopped)]
[JsonDerivedType(typeof(GenerationFailed), GenerationEventNames.Failed)]
public abstract record GenerationEvent
{
    /// <summary>The event's name on the wire and in the stream.</summary>
    [JsonIgnore]
    public string Name => this switch
    {
        GenerationLoading => GenerationEventNames.Loading,
        GenerationToken => GenerationEventNames.Token,
        GenerationDone => GenerationEventNames.Done,
        GenerationStopped => GenerationEventNames.Stopped,
        _ => GenerationEventNames.Failed,
    };

    /// <summary>Nothing comes after it.</summary>
    [JsonIgnore]
    public bool IsLast => this is GenerationDone or GenerationStopped or GenerationFailed;
}

public static class GenerationEventNames
{
    public const string Loading = "loading";
    public const string Token = "token";
    public const string Done = "done";
    public const string Stopped = "stopped";
    public const string Failed = "failed";
}

/// <summary>What the worker is busy with before the first token; fraction in 0..1.</summary>
public sealed record GenerationLoading(string What, double Fraction) : GenerationEvent;

/// <summary>One token of the answer.</summary>
public sealed record GenerationToken : GenerationEvent
{
    /// <summary>Place in the answer, from 0.</summary>
    public required int Index { get; init; }
    public required int Token { get; init; }

    /// <summary>What it adds to the text: all texts in order are the answer. Empty while a character is not complete.</summary>
    public required string Text { get; init; }

    /// <summary>Loops that a looped model ran for it, from 1.</summary>
    public int? Loops { get; init; }

    /// <summary>Chance to stop after each of these loops but a last one that was forced, 0..1.</summary>
    public IReadOnlyList<double>? Halting { get; init; }

    /// <summary>A drafting head had proposed it and the main head agreed.</summary>
    public bool Drafted { get; init; }

    /// <summary>Text of the draft that the main head refused in favour of this token.</summary>
    public string? Refused { get; init; }

    /// <summary>The likeliest tokens at this place, by the softmax of the logits before temperature and cuts.</summary>
    public IReadOnlyList<TokenChance>? Chances { get; init; }
}

public sealed record TokenChance(int Token, string Text, double Probability);

/// <summary>The answer is whole.</summary>
/// <param name="Reason"><c>end</c> (the model ended it) or <c>length</c> (the limit of tokens, or of the model).</param>
/// <param name="Statistics">What it took.</param>
public sealed record GenerationDone(string Reason, GenerationStatistics Statistics) : GenerationEvent
{
    public const string End = "end";
    public const string Length = "length";
}

/// <summary>Somebody stopped it; what came so far stands.</summary>
public sealed record GenerationStopped(string Reason) : GenerationEvent;

/// <param name="Code">See <see cref="FailureCodes"/>, or <c>lost</c>.</param>
/// <param name="Message">One sentence.</param>
public sealed record GenerationFailed(string Code, string Message) : GenerationEvent
{
    /// <summary>Its worker went, or needed the device.</summary>
    public const string Lost = "lost";
}

public sealed record GenerationStatistics
{
    public required int PromptTokens { get; init; }

    /// <summary>Of the answer.</summary>
    public required int Tokens { get; init; }

    /// <summary>From the worker's taking up the request to the first token: with download, start and load where they were needed.</summary>
    public required double FirstTokenSeconds { get; init; }

    /// <summary>Computing, prompt and answer.</summary>
    public required double Seconds { get; init; }

    /// <summary>Tokens after the first, over the time that they took.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>The model was loaded already.</summary>
    public bool Warm { get; init; }

    /// <summary>A looped model's mean number of loops per token.</summary>
    public double? MeanLoops { get; init; }

    /// <summary>Verified blocks of speculation, drafts in them, and drafts that the main head agreed with.</summary>
    public int? Passes { get; init; }
    public int? Drafted { get; init; }
    public int? DraftsKept { get; init; }
}

/// <summary>A request for a worker of the pool.</summary>
public sealed record GenerationAssignment
{
    public required Guid Id { get; init; }
    public required Guid CheckpointId { get; init; }

    /// <summary>Index of the device to compute on; null = the host's processor, beside whatever trains there.</summary>
    public int? DeviceIndex { get; init; }

    /// <summary>Forecast of the memory that answering takes.</summary>
    public long Bytes { get; init; }

    /// <summary>The files that generating needs: no optimizer state, and the averaged weights alone where there are any.</summary>
    public required IReadOnlyList<BlobRef> Files { get; init; }
    public required GenerationRequest Request { get; init; }
}

/// <summary>
/// POST /api/worker/generations/{id}: the next events of a request, numbered from 1 without a gap. A repeat changes nothing;
/// 409 means that it is over, and the worker sends nothing more.
/// </summary>
/// <param name="First">Number of the first event in here.</param>
/// <param name="Events">At least one.</param>
public sealed record GenerationBatch(long First, IReadOnlyList<GenerationEvent> Events);

/// <summary>One JSON line on the standard input of <c>hearth-trainer serve</c>.</summary>
/// <param name="Command"><c>generate</c> or <c>cancel</c>.</param>
/// <param name="Id">Names the request.</param>
/// <param name="Request">Of <c>generate</c>.</param>
public sealed record ServeRequest(string Command, Guid Id, GenerationRequest? Request = null)
{
    public const string Generate = "generate";
    public const string Cancel = "cancel";
}

/// <summary>One JSON line on its standard output.</summary>
public sealed record ServeLine(Guid Id, GenerationEvent Event);

/// <summary>Names of files in a checkpoint that decide what is fetched for generating.</summary>
public static class CheckpointFiles
{
    public const string Weights = "weights.safetensors";
    public const string Optimizer = "optimizer.safetensors";

    /// <summary>The weights' moving average; only of runs that keep one.</summary>
    public const string Average = "ema.safetensors";
    public const string State = "state.json";

    /// <summary>Whether generating reads this one of a checkpoint's files.</summary>
    public static bool IsForGenerating(string name, IReadOnlyCollection<string> all) => name switch
    {
        Optimizer or State => false,
        Weights => !all.Contains(Average),
        _ => true,
    };
}
