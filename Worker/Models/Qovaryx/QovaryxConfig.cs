namespace Hearth.Models.Qovaryx;

/// <summary>Fields of a Qovaryx model under the names that specs and checkpoints use.</summary>
public sealed record QovaryxConfig
{
    public int VocabSize { get; init; } = 20242;
    public int DModel { get; init; } = 512;
    public int NLayer { get; init; } = 12;
    public int NHead { get; init; } = 8;
    public int NKvHead { get; init; } = 2;
    public int DFf { get; init; } = 1408;
    public string FfnKind { get; init; } = "swiglu";
    public int FfnRank { get; init; } = 128;
    public int FfnExperts { get; init; } = 4;
    public int FfnTopK { get; init; } = 1;
    public bool ActQuant { get; init; } = true;
    public double CapacityFactor { get; init; }
    public double LbWeight { get; init; } = 0.01;
    public double RouterZWeight { get; init; } = 1e-3;
    public bool TieEmbeddings { get; init; } = true;
    public int MtpK { get; init; } = 4;
    public string MtpKind { get; init; } = "res";
    public double MtpWeight { get; init; } = 0.3;
    public bool DecisionHeadEnabled { get; init; }
    public double DecisionWeight { get; init; } = 0.5;
    public bool ClassWeightedDecision { get; init; }
    public double CalibrationLossWeight { get; init; }
    public bool ChartPatchEncoderEnabled { get; init; }
    public bool QkNorm { get; init; }
    public double RopeTheta { get; init; } = 10000;
    public double NormEps { get; init; } = 1e-6;
    public int MaxSeqLen { get; init; } = 4096;
}
