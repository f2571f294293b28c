namespace Hearth.Models.Hybrid;

/// <summary>Fields of a Hybrid model under the names that specs and checkpoints use.</summary>
public sealed record HybridConfig
{
    // 36313 · id stays below 2³¹ up to this vocabulary, so the hash of the original's int32 is ours in int64.
    private const int LargestVocabulary = 59_139;

    [Field("Tokens of the vocabulary.", 2, LargestVocabulary)]
    public int VocabSize { get; init; } = 1024;

    [Field("Model width.", 2, 1 << 16)]
    public int DModel { get; init; } = 512;

    [Field("Layers.", 1, 512)]
    public int NLayer { get; init; } = 11;

    [Field("Query heads; divides d_model.", 1, 512)]
    public int NHead { get; init; } = 8;

    [Field("Key and value heads; divides n_head.", 1, 512)]
    public int NKvHead { get; init; } = 4;

    /// <summary>Zero-based indices of the layers with attention; the others shift. The last of them sees everything.</summary>
    [Field("Layers with attention, from 0; the others shift by a token.", 0, 511)]
    public IReadOnlyList<int> AttnLayers { get; init; } = [4, 7, 10];

    /// <summary>Keys before its own that a row of a windowed layer sees, w: positions t−w to t.</summary>
    [Field("Keys before its own that a row sees, but in the last attention layer.", 1, 1 << 20)]
    public int Window { get; init; } = 128;

    [Field("Dimensions of a head that are turned; even.", 2, 1 << 12)]
    public int RopeDims { get; init; } = 16;

    [Field("Base of the rotary frequencies.", 1, 1e9)]
    public double RopeTheta { get; init; } = 10000;

    [Field("Added to the mean square.", 1e-12, 1)]
    public double NormEps { get; init; } = 1e-6;

    [Field("Width of the feed-forward network over d_model.", 1, 64)]
    public int MlpMult { get; init; } = 3;

    [Field("Slope of the leaky unit below 0.", 0, 1)]
    public double MlpSlope { get; init; } = 0.5;

    [Field("Rows of the table of token pairs.", 2, 1 << 24)]
    public int BigramVocab { get; init; } = 2048;

    [Field("Width of the table of token pairs.", 1, 1 << 16)]
    public int BigramDim { get; init; } = 128;

    [Field("Width of the value embedding.", 1, 1 << 16)]
    public int VeDim { get; init; } = 128;

    /// <summary>Layers that have a scale for the value embedding; only those with attention read it.</summary>
    [Field("Layers with a scale for the value embedding, from 0.", 0, 511)]
    public IReadOnlyList<int> VeLayers { get; init; } = [9, 10];

    /// <summary>Attention layers among so many last layers remove their own value's direction.</summary>
    [Field("Attention in so many last layers drops its own value's direction.", 0, 512)]
    public int XsaLastN { get; init; } = 4;

    [Field("Bound of the logits; 0 is off.", 0, 1e6)]
    public double LogitSoftcap { get; init; } = 30;

    [Field("First gain of the queries.", 0, 1e3)]
    public double QkGainInit { get; init; } = 1.5;

    /// <summary>Tensors with more elements are stored as 6-bit integers, the rest as fp16.</summary>
    [Field("Tensors with more elements are stored in 6 bits.", 0, int.MaxValue)]
    public int QuantMinElems { get; init; } = 65536;

    /// <summary>Factor κ on the grid step of quantised training.</summary>
    [Field("Factor on the grid step of quantised training.", 1, 8)]
    public double QuantKappa { get; init; } = 1;

    [Field("Longest row.", 8, 1 << 20)]
    public int MaxSeqLen { get; init; } = 1024;

    internal int HeadDim => DModel / NHead;

    internal int KvDim => NKvHead * HeadDim;

    internal int Hidden => MlpMult * DModel;

    internal bool Attends(int layer) => AttnLayers.Contains(layer);

    /// <summary>Null where the layer sees everything.</summary>
    internal int? WindowOf(int layer) => layer == AttnLayers.Max() ? null : Window;

    internal bool RemovesValue(int layer) => Attends(layer) && layer >= NLayer - XsaLastN;
}
