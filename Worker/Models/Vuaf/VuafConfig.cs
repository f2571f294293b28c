using System.Text.Json.Serialization;

namespace Hearth.Models.Vuaf;

/// <summary>Fields of a VUAF model under the published runtime's names, and ours at the end.</summary>
public sealed record VuafConfig
{
    public const string Rwkv = "rwkv7", Mamba = "mamba2", Attention = "attn", SwiGlu = "swiglu", Moe = "moe";

    public int VocabSize { get; init; } = 4096;
    public int DModel { get; init; } = 128;
    public int NLayers { get; init; } = 6;
    public int LoopSteps { get; init; } = 4;
    public int RwkvHeadDim { get; init; } = 32;
    public int RwkvLowrank { get; init; } = 16;
    public int MambaDState { get; init; } = 16;
    public int MambaDHead { get; init; } = 64;
    public int MambaExpand { get; init; } = 1;
    public int MambaChunkSize { get; init; } = 64;
    public int AttnHeadDim { get; init; } = 32;
    public double AttnRopeBase { get; init; } = 10000;
    public int FfnHidden { get; init; } = 256;
    public int MoeNExperts { get; init; } = 4;
    public int MoeTopK { get; init; } = 1;
    public double MoeLbLossCoef { get; init; } = 0.01;
    public double HaltInitBias { get; init; } = -2;
    public double EntropyRegCoef { get; init; } = 0.01;
    public int MaxSeqLen { get; init; } = 1024;

    /// <summary>The mixer of each layer over time.</summary>
    public IReadOnlyList<string> TokenMixPattern { get; init; } = [];

    /// <summary>The mixer of each layer over channels.</summary>
    public IReadOnlyList<string> ChannelMixPattern { get; init; } = [];

    public string RwkvNorm { get; init; } = "token";
    public string DecayInit { get; init; } = "runtime";
    public string HaltPrior { get; init; } = "uniform";
    public double HaltPriorRate { get; init; } = 0.2;
    public double HaltWarmStart { get; init; } = 0.3;
    public bool HaltOnly { get; init; }

    /// <summary>Whether an RWKV head is normed over time too, as the published runtime does; then logits depend on later tokens.</summary>
    [JsonIgnore]
    public bool SequenceNorm => RwkvNorm == "sequence";

    /// <summary>Even layers RWKV-7, odd ones Mamba-2; the first odd layer of the upper half attends.</summary>
    public static IReadOnlyList<string> TokenMixers(int layers)
    {
        int attention = layers / 2 % 2 == 1 ? layers / 2 : (layers / 2) + 1;
        return [.. Enumerable.Range(0, layers).Select(i => i % 2 == 0 ? Rwkv : i == attention ? Attention : Mamba)];
    }

    /// <summary>Even layers SwiGLU, odd ones experts.</summary>
    public static IReadOnlyList<string> ChannelMixers(int layers) => [.. Enumerable.Range(0, layers).Select(i => i % 2 == 0 ? SwiGlu : Moe)];
}
