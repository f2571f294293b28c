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

    public int VocabSize { get; init; } = 50257;
    public int Dim { get; init; } = 640;
    public int NumLayers { get; init; } = 12;
    public int AttnHeads { get; init; } = 10;
    public int MqaQHeads { get; init; } = 10;
    public int FfnHidden { get; init; } = 1920;
    public int MixerHidden { get; init; } = 960;
    public int VprojHidden { get; init; } = 288;
    public int RouterHidden { get; init; } = 128;
    public int LrRank { get; init; } = 32;
    public int RBasis { get; init; } = 16;
    public int ConvKernel { get; init; } = 5;
    public string Metric { get; init; } = MahaDiag;
    public double AlphaInit { get; init; } = 1.5;
    public double MahaInit { get; init; } = 1;
    public double OriginInit { get; init; }
    public double RadiusInit { get; init; } = 3.5;
    public double EnergyMin { get; init; } = 0.5;
    public double EnergyMax { get; init; } = 2;
    public double ThetaBase { get; init; } = 10000;
    public double RouterTemperature { get; init; } = 1;
    public int RouterTopk { get; init; }
    public int RouterSoftSteps { get; init; } = 300;
    public bool UseBalls { get; init; }
    public bool DiscrepancyModulation { get; init; } = true;
    public double LayerScaleInit { get; init; } = 0.2;
    public double TiWeight { get; init; } = 0.01;
    public int TiSamples { get; init; } = 64;
    public int TiRampSteps { get; init; } = 500;
    public double RouterBalance { get; init; }
    public double AttnDropout { get; init; }
    public double ProjDropout { get; init; }
    public double FreqLrMult { get; init; } = 0.1;
    public int MaxPositionEmbeddings { get; init; } = 2048;

    internal const string L2 = "l2";
    internal const string Cosine = "cosine";
    internal const string MahaDiag = "maha_diag";

    internal int HeadDim => Dim / AttnHeads;

    /// <summary>Weight of the triangle term at a step counted from 0: a linear rise, then constant.</summary>
    internal double TriangleWeight(long step) => TiWeight * (TiRampSteps == 0 ? 1 : Math.Min(1, (step + 1.0) / TiRampSteps));
}
