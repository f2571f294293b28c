namespace Hearth.Models.Hybrid;

/// <summary>Fields of a Hybrid model under the names that specs and checkpoints use.</summary>
public sealed record HybridConfig
{
    public int VocabSize { get; init; } = 1024;
    public int DModel { get; init; } = 512;
    public int NLayer { get; init; } = 11;
    public int NHead { get; init; } = 8;
    public int NKvHead { get; init; } = 4;

    /// <summary>Zero-based indices of the layers with attention; the others shift. The last of them sees everything.</summary>
    public IReadOnlyList<int> AttnLayers { get; init; } = [4, 7, 10];

    /// <summary>Keys before its own that a row of a windowed layer sees, w: positions t−w to t.</summary>
    public int Window { get; init; } = 128;

    /// <summary>Leading dimensions of a head that are turned.</summary>
    public int RopeDims { get; init; } = 16;
    public double RopeTheta { get; init; } = 10000;
    public double NormEps { get; init; } = 1e-6;

    /// <summary>Width of the feed-forward network over d_model.</summary>
    public int MlpMult { get; init; } = 3;

    /// <summary>Slope of the leaky unit below 0.</summary>
    public double MlpSlope { get; init; } = 0.5;
    public int BigramVocab { get; init; } = 2048;
    public int BigramDim { get; init; } = 128;
    public int VeDim { get; init; } = 128;

    /// <summary>Layers that have a scale for the value embedding; only those with attention read it.</summary>
    public IReadOnlyList<int> VeLayers { get; init; } = [9, 10];

    /// <summary>Attention layers among so many last layers remove their own value's direction.</summary>
    public int XsaLastN { get; init; } = 4;
    public double LogitSoftcap { get; init; } = 30;
    public double QkGainInit { get; init; } = 1.5;

    /// <summary>Tensors with more elements are stored as 6-bit integers, the rest as fp16.</summary>
    public int QuantMinElems { get; init; } = 65536;

    /// <summary>Factor κ on the grid step of quantised training.</summary>
    public double QuantKappa { get; init; } = 1;
    public int MaxSeqLen { get; init; } = 1024;

    internal int HeadDim => DModel / NHead;

    internal int KvDim => NKvHead * HeadDim;

    internal int Hidden => MlpMult * DModel;

    internal bool Attends(int layer) => AttnLayers.Contains(layer);

    /// <summary>Null where the layer sees everything.</summary>
    internal int? WindowOf(int layer) => layer == AttnLayers.Max() ? null : Window;

    internal bool RemovesValue(int layer) => Attends(layer) && layer >= NLayer - XsaLastN;
}
