using System.Text.Json.Serialization;

namespace Hearth.Models.Positronic;

/// <summary>Fields of a Positronic model under the names that specs and checkpoints use.</summary>
public sealed record PositronicConfig
{
    internal const int MostOscillators = 1 << 16;

    [Field("Tokens of the vocabulary.", 2, 1 << 20)]
    public int VocabSize { get; init; } = 16512;

    [Field("Model width.", 2, 1 << 16)]
    public int DModel { get; init; } = 768;

    [Field("Layers.", 1, 512)]
    public int NLayer { get; init; } = 10;

    [Field("Query heads.", 1, 512)]
    public int NHead { get; init; } = 12;

    [Field("Key and value heads; divides n_head.", 1, 512)]
    public int NKvHead { get; init; } = 4;

    [Field("Width of a head, a multiple of 4; half of it carries positions.", 4, 1 << 12)]
    public int HeadDim { get; init; } = 64;

    [Field("Rank of the query projection.", 1, 1 << 16)]
    public int QRank { get; init; } = 384;

    [Field("Rank of the output projection.", 1, 1 << 16)]
    public int ORank { get; init; } = 384;

    /// <summary>Oscillators per ring, in the order that they are stored.</summary>
    [Field("Oscillators of each ring, inner ring first.", 1, MostOscillators)]
    public IReadOnlyList<int> Rings { get; init; } = [4, 8, 16, 32, 64, 128, 256];

    [Field("Euler steps of the oscillators.", 1, 64)]
    public int OscSteps { get; init; } = 4;

    [Field("Length of an Euler step.", 1e-3, 2)]
    public double OscDt { get; init; } = 0.5;

    [Field("Width of the read-out over that of the phases.", 1, 16)]
    public int ReadMult { get; init; } = 3;

    [Field("Width of attention between phases.", 1, 1 << 14)]
    public int PhaseDim { get; init; } = 64;

    [Field("Its heads; divides phase_dim.", 1, 512)]
    public int PhaseHeads { get; init; } = 4;

    [Field("Longest window of tokens that is hashed.", 1, 8)]
    public int EngramOrders { get; init; } = 3;

    [Field("Hashes per window length.", 1, 8)]
    public int EngramHeads { get; init; } = 2;

    [Field("Rows of a hash table, a power of two.", 2, 1 << 20)]
    public int EngramTable { get; init; } = 4096;

    [Field("Width of a hash table's row.", 1, 1 << 12)]
    public int EngramDim { get; init; } = 32;

    [Field("Memory specialists of a ring.", 1, 256)]
    public int SpecPerRing { get; init; } = 7;

    [Field("Width of a specialist's memory.", 1, 1 << 12)]
    public int SpecDim { get; init; } = 32;

    [Field("Specialists that a token reads and writes.", 1, 256)]
    public int SpecTopK { get; init; } = 2;

    [Field("Positions between two writes of the memory.", 1, 1 << 20)]
    public int MemChunk { get; init; } = 256;

    [Field("Inner width of the refinement after the layers.", 1, 1 << 16)]
    public int HrmDim { get; init; } = 384;

    [Field("Steps of the refinement.", 1, 64)]
    public int HrmSteps { get; init; } = 3;

    [Field("Routed experts beside the shared one.", 1, 256)]
    public int MoeExperts { get; init; } = 4;

    [Field("Experts of a token.", 1, 256)]
    public int MoeTopK { get; init; } = 2;

    [Field("Width of an expert.", 1, 1 << 18)]
    public int MoeHidden { get; init; } = 1792;

    [Field("Tokens predicted beyond the next.", 1, 16)]
    public int MtpHeads { get; init; } = 4;

    [Field("Inner width of the predictor of later states.", 1, 1 << 16)]
    public int JepaDim { get; init; } = 256;

    [Field("Tokens that it looks ahead.", 1, 64)]
    public int JepaHorizon { get; init; } = 1;

    [Field("Weight of the squared log-normaliser.", 0, 10)]
    public double ZWeight { get; init; } = 1e-4;

    [Field("Weight of the further tokens' loss; a third of it in the last 30 % of a run.", 0, 10)]
    public double MtpWeight { get; init; } = 0.3;

    [Field("Weight of the later states' loss.", 0, 10)]
    public double JepaWeight { get; init; } = 0.1;

    [Field("Weight of the experts' balance.", 0, 10)]
    public double BalanceWeight { get; init; } = 0.01;

    [Field("Context between rings: phase attention and hashed windows.")]
    public bool UseRings { get; init; } = true;

    [Field("Controllers that tune their ring while it turns.")]
    public bool UseRingControllers { get; init; } = true;

    [Field("Memory written while reading.")]
    public bool UseRingSpecialists { get; init; } = true;

    [Field("Refinement after the layers.")]
    public bool UseHrm { get; init; } = true;

    [Field("Mixture of experts after the layers.")]
    public bool UseMoe { get; init; } = true;

    [Field("Heads for further tokens; they draft when decoding.")]
    public bool UseMtp { get; init; } = true;

    [Field("Loss on later states, in training only.")]
    public bool UseJepa { get; init; } = true;

    [Field("Phases seeded by each token's Mandelbrot orbit.")]
    public bool UseFractalPhaseSeed { get; init; } = true;

    [Field("Attention by error functions instead of softmax.")]
    public bool UseDerf { get; init; }

    [Field("Remove a token's own value from what it attends to.")]
    public bool UseXsa { get; init; }

    [Field("Base of the rotary frequencies.", 1, 1e9)]
    public double RopeTheta { get; init; } = 10000;

    [Field("Added to the mean square.", 1e-12, 1)]
    public double NormEps { get; init; } = 1e-6;

    [Field("Longest row.", 8, 1 << 20)]
    public int MaxSeqLen { get; init; } = 4096;

    [JsonIgnore]
    public int NRing => Rings.Count;

    /// <summary>Oscillators of a ring and the one outside it.</summary>
    internal int Pair(int ring) => Rings[ring] + Rings[ring + 1];

    /// <summary>All rings' oscillators, N.</summary>
    [JsonIgnore]
    public int Oscillators => (int)Math.Min(int.MaxValue, Rings.Sum(n => (long)n));

    /// <summary>Head dimensions that carry positions; the others carry none.</summary>
    [JsonIgnore]
    public int RopeDim => HeadDim / 2;

    /// <summary>Hash tables of one engram slot: every window length with every hash head.</summary>
    [JsonIgnore]
    public int EngramTables => EngramOrders * EngramHeads;
}
