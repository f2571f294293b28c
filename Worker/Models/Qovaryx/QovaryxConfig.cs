namespace Hearth.Models.Qovaryx;

/// <summary>Fields of a Qovaryx model under the names that specs and checkpoints use.</summary>
public sealed record QovaryxConfig
{
    [Field("Tokens of the vocabulary.", 2, 1 << 20)]
    public int VocabSize { get; init; } = 20242;

    [Field("Model width.", 2, 1 << 16)]
    public int DModel { get; init; } = 512;

    [Field("Layers.", 1, 512)]
    public int NLayer { get; init; } = 12;

    [Field("Query heads; divides d_model.", 1, 512)]
    public int NHead { get; init; } = 8;

    [Field("Key and value heads; divides n_head.", 1, 512)]
    public int NKvHead { get; init; } = 2;

    [Field("Width of the feed-forward network.", 1, 1 << 18)]
    public int DFf { get; init; } = 1408;

    [Field("Feed-forward network.", "swiglu", "ternary_swiglu", "lowrank_swiglu", "routed_lowrank_swiglu")]
    public string FfnKind { get; init; } = "swiglu";

    [Field("Rank of the low-rank kinds.", 1, 1 << 16)]
    public int FfnRank { get; init; } = 128;

    [Field("Experts of the routed kind.", 1, 1024)]
    public int FfnExperts { get; init; } = 4;

    [Field("Experts a token goes to; at most ffn_experts.", 1, 1024)]
    public int FfnTopK { get; init; } = 1;

    [Field("8-bit inputs of the ternary kind.")]
    public bool ActQuant { get; init; } = true;

    [Field("Limit on an expert's share in training, 1 = even; 0 is off.", 0, 1024)]
    public double CapacityFactor { get; init; }

    [Field("Weight of the experts' balance.", 0, 10)]
    public double LbWeight { get; init; } = 0.01;

    [Field("Weight of the router's squared logsumexp.", 0, 10)]
    public double RouterZWeight { get; init; } = 1e-3;

    [Field("One matrix for embedding and head.")]
    public bool TieEmbeddings { get; init; } = true;

    [Field("Tokens predicted per position.", 1, 16)]
    public int MtpK { get; init; } = 4;

    [Field("What a further-token module is made of.", "res", "block")]
    public string MtpKind { get; init; } = "res";

    [Field("Weight of the further tokens' loss.", 0, 10)]
    public double MtpWeight { get; init; } = 0.3;

    [Field("A head of 4 classes at one token of a row.")]
    public bool DecisionHeadEnabled { get; init; }

    [Field("Weight of its cross entropy.", 0, 10)]
    public double DecisionWeight { get; init; } = 0.5;

    [Field("Count rows by how rare their class is.")]
    public bool ClassWeightedDecision { get; init; }

    [Field("Weight of its Brier score.", 0, 10)]
    public double CalibrationLossWeight { get; init; }

    [Field("Images as tokens before the text.")]
    public bool ChartPatchEncoderEnabled { get; init; }

    [Field("Normalise queries and keys.")]
    public bool QkNorm { get; init; }

    [Field("Base of the rotary frequencies.", 1, 1e9)]
    public double RopeTheta { get; init; } = 10000;

    [Field("Added to the mean square.", 1e-12, 1)]
    public double NormEps { get; init; } = 1e-6;

    [Field("Longest row.", 8, 1 << 20)]
    public int MaxSeqLen { get; init; } = 4096;
}
