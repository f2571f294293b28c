using System.Text.Json.Serialization;

namespace Hearth.Models.Vuaf;

/// <summary>Fields of a VUAF model under the published runtime's names, and ours at the end.</summary>
public sealed record VuafConfig
{
    public const string Rwkv = "rwkv7", Mamba = "mamba2", Attention = "attn", SwiGlu = "swiglu", Moe = "moe";

    [Field("Tokens of the vocabulary.", 2, 1 << 20)]
    public int VocabSize { get; init; } = 4096;

    [Field("Model width.", 8, 1 << 14)]
    public int DModel { get; init; } = 128;

    [Field("Layers of the stack.", 1, 256)]
    public int NLayers { get; init; } = 6;

    [Field("How often the stack is applied, at most.", 1, 32)]
    public int LoopSteps { get; init; } = 4;

    [Field("Width of an RWKV head; divides d_model. 8, 16, 32 and 64 have a fast kernel.", 1, 256)]
    public int RwkvHeadDim { get; init; } = 32;

    [Field("Rank of the decay and the in-context rate.", 1, 4096)]
    public int RwkvLowrank { get; init; } = 16;

    [Field("State width of Mamba.", 1, 1024)]
    public int MambaDState { get; init; } = 16;

    [Field("Width of a Mamba head; divides mamba_expand times d_model.", 1, 1024)]
    public int MambaDHead { get; init; } = 64;

    [Field("Inner width of Mamba over d_model.", 1, 8)]
    public int MambaExpand { get; init; } = 1;

    [Field("Steps of a chunk where the scan has no kernel.", 1, 1024)]
    public int MambaChunkSize { get; init; } = 64;

    [Field("Width of an attention head; even, divides d_model.", 2, 1024)]
    public int AttnHeadDim { get; init; } = 32;

    [Field("Base of the rotary frequencies.", 1, 1e9)]
    public double AttnRopeBase { get; init; } = 10000;

    [Field("Width of the feed-forward network and of every expert.", 1, 1 << 18)]
    public int FfnHidden { get; init; } = 256;

    [Field("Experts of a mixture layer.", 1, 256)]
    public int MoeNExperts { get; init; } = 4;

    [Field("Experts that a token takes; at most moe_n_experts.", 1, 256)]
    public int MoeTopK { get; init; } = 1;

    [Field("Weight of the loss that balances experts.", 0, 10)]
    public double MoeLbLossCoef { get; init; } = 0.01;

    [Field("Where the halt head's bias starts; below 0 keeps looping.", -20, 20)]
    public double HaltInitBias { get; init; } = -2;

    [Field("Weight of the pull of the halting distribution towards its prior; 0.05 or more keeps late steps alive.", 0, 10)]
    public double EntropyRegCoef { get; init; } = 0.01;

    [Field("What the halting distribution is pulled to.", "uniform", "geometric")]
    public string HaltPrior { get; init; } = "uniform";

    [Field("Chance of stopping at each step under the geometric prior.", 0.001, 0.999)]
    public double HaltPriorRate { get; init; } = 0.2;

    [Field("Share of the run in which every depth counts alike and the halt head rests.", 0, 1)]
    public double HaltWarmStart { get; init; } = 0.3;

    [Field("Train the halt head alone: stop where one more step gains less than 0.005.")]
    public bool HaltOnly { get; init; }

    [Field("Norm of RWKV heads: per token, or over the sequence as the published runtime does (it sees the future).", "token", "sequence")]
    public string RwkvNorm { get; init; } = "token";

    [Field("Start of the decay: w = 0.5 everywhere, or memories spread from 2 to 512 tokens.", "runtime", "spread")]
    public string DecayInit { get; init; } = "runtime";

    /// <summary>The mixer of each layer over time; null = by rule, until the plan fills it in.</summary>
    [Field("Mixer over time of each layer; left out = by rule.", Rwkv, Mamba, Attention)]
    public IReadOnlyList<string>? TokenMixPattern { get; init; }

    /// <summary>The mixer of each layer over channels; null = by rule, until the plan fills it in.</summary>
    [Field("Mixer over channels of each layer; left out = by rule.", SwiGlu, Moe)]
    public IReadOnlyList<string>? ChannelMixPattern { get; init; }

    [Field("Longest row.", 8, 1 << 20)]
    public int MaxSeqLen { get; init; } = 1024;

    /// <summary>Whether an RWKV head is normed over time too, as the published runtime does; then logits depend on later tokens.</summary>
    [JsonIgnore]
    public bool SequenceNorm => RwkvNorm == "sequence";

    /// <summary>With the pattern of a rule where none is given.</summary>
    internal VuafConfig WithPatterns() => this with
    {
        TokenMixPattern = TokenMixPattern ?? TokenMixers(NLayers),
        ChannelMixPattern = ChannelMixPattern ?? ChannelMixers(NLayers),
    };

    /// <summary>Even layers RWKV-7, odd ones Mamba-2; the first odd layer of the upper half attends.</summary>
    private static IReadOnlyList<string> TokenMixers(int layers)
    {
        int attention = layers / 2 % 2 == 1 ? layers / 2 : (layers / 2) + 1;
        return [.. Enumerable.Range(0, layers).Select(i => i % 2 == 0 ? Rwkv : i == attention ? Attention : Mamba)];
    }

    /// <summary>Even layers SwiGLU, odd ones experts.</summary>
    private static IReadOnlyList<string> ChannelMixers(int layers) => [.. Enumerable.Range(0, layers).Select(i => i % 2 == 0 ? SwiGlu : Moe)];
}
