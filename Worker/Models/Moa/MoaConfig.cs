namespace Hearth.Models.Moa;

/// <summary>Fields of a MoA-Metric model under the names that specs and checkpoints use. Defaults are those of size 150m.</summary>
public sealed record MoaConfig
{
    /// <summary>ε of every root-mean-square norm.</summary>
    public const double NormEps = 1e-6;

    /// <summary>Paths that a block blends: LocalConv, MetricMH, ChannelMix, MetricMQA, in this order.</summary>
    public const int Paths = 4;

    /// <summary>Branches of HyperFFN: SwiGLU, separable convolution, low rank, in this order.</summary>
    public const int Branches = 3;

    [Field("Tokens of the vocabulary.", 2, 1 << 20)]
    public int VocabSize { get; init; } = 50257;

    [Field("Model width.", 2, 1 << 16)]
    public int Dim { get; init; } = 640;

    [Field("Blocks.", 1, 512)]
    public int NumLayers { get; init; } = 12;

    [Field("Heads of metric attention; divides dim.", 1, 512)]
    public int AttnHeads { get; init; } = 10;

    [Field("Query heads of the path with one shared key; equals attn_heads.", 1, 512)]
    public int MqaQHeads { get; init; } = 10;

    [Field("Width of the feed-forward network's SwiGLU.", 1, 1 << 18)]
    public int FfnHidden { get; init; } = 1920;

    [Field("Width of the channel mixer.", 1, 1 << 18)]
    public int MixerHidden { get; init; } = 960;

    [Field("Width of the gated projector after attention.", 1, 1 << 18)]
    public int VprojHidden { get; init; } = 288;

    [Field("Width of the path router.", 1, 1 << 16)]
    public int RouterHidden { get; init; } = 128;

    [Field("Rank of the feed-forward network's low-rank branch.", 1, 1 << 16)]
    public int LrRank { get; init; } = 32;

    [Field("Fourier terms of frequencies and energies.", 1, 1 << 10)]
    public int RBasis { get; init; } = 16;

    [Field("Taps of both causal convolutions.", 1, 64)]
    public int ConvKernel { get; init; } = 5;

    [Field("What a score measures.", L2, Cosine, MahaDiag)]
    public string Metric { get; init; } = MahaDiag;

    [Field("Starting sharpness of the scores.", 1e-3, 100)]
    public double AlphaInit { get; init; } = 1.5;

    [Field("Starting scale of every dimension of maha_diag.", 1e-3, 1000)]
    public double MahaInit { get; init; } = 1;

    [Field("Starting centre of a ball, in every dimension.", -1000, 1000)]
    public double OriginInit { get; init; }

    [Field("Starting radius of a ball, times √(head width / 8).", 1e-3, 1000)]
    public double RadiusInit { get; init; } = 3.5;

    [Field("Least gain of a value.", 0, 0.999)]
    public double EnergyMin { get; init; } = 0.5;

    [Field("Greatest gain of a value.", 1.001, 100)]
    public double EnergyMax { get; init; } = 2;

    [Field("Base of the rotary frequencies.", 1, 1e9)]
    public double ThetaBase { get; init; } = 10000;

    [Field("Softness of the path router.", 1e-3, 1000)]
    public double RouterTemperature { get; init; } = 1;

    [Field("Paths kept per token: 2, or 0 for all.", 0, 2)]
    public int RouterTopk { get; init; }

    [Field("Steps of training before only two paths are kept.", 0, 1 << 30)]
    public int RouterSoftSteps { get; init; } = 300;

    [Field("Keys outside a learned ball are not attended to.")]
    public bool UseBalls { get; init; }

    [Field("A change of input moves the gain of values.")]
    public bool DiscrepancyModulation { get; init; } = true;

    [Field("Starting scale of both residual branches.", 0, 10)]
    public double LayerScaleInit { get; init; } = 0.2;

    [Field("Weight of the triangle-inequality term; 0 only measures it.", 0, 100)]
    public double TiWeight { get; init; } = 0.01;

    [Field("Triples of positions per row and layer.", 1, 1 << 16)]
    public int TiSamples { get; init; } = 64;

    [Field("Steps over which that weight rises; 0 starts in full.", 0, 1 << 30)]
    public int TiRampSteps { get; init; } = 500;

    [Field("Weight of the router's balance term.", 0, 100)]
    public double RouterBalance { get; init; }

    [Field("Share of attention weights dropped in training.", 0, 0.9)]
    public double AttnDropout { get; init; }

    [Field("Share of attention outputs dropped in training.", 0, 0.9)]
    public double ProjDropout { get; init; }

    [Field("Factor on the learning rate of the rotary frequencies.", 0, 10)]
    public double FreqLrMult { get; init; } = 0.1;

    [Field("Longest row.", 8, 1 << 20)]
    public int MaxPositionEmbeddings { get; init; } = 2048;

    internal const string L2 = "l2";
    internal const string Cosine = "cosine";
    internal const string MahaDiag = "maha_diag";

    internal int HeadDim => Dim / AttnHeads;

    /// <summary>Weight of the triangle term at a step counted from 0: a linear rise, then constant.</summary>
    internal double TriangleWeight(long step) => TiWeight * (TiRampSteps == 0 ? 1 : Math.Min(1, (step + 1.0) / TiRampSteps));
}
