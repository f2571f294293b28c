using System.Text.Json.Serialization;

namespace Hearth.Models.Positronic;

/// <summary>Fields of a Positronic model under the names that specs and checkpoints use.</summary>
public sealed record PositronicConfig
{
    public int VocabSize { get; init; } = 16512;
    public int DModel { get; init; } = 768;
    public int NLayer { get; init; } = 10;
    public int NHead { get; init; } = 12;
    public int NKvHead { get; init; } = 4;
    public int HeadDim { get; init; } = 64;
    public int QRank { get; init; } = 384;
    public int ORank { get; init; } = 384;

    /// <summary>Oscillators per ring, in the order that they are stored.</summary>
    public IReadOnlyList<int> Rings { get; init; } = [4, 8, 16, 32, 64, 128, 256];
    public int OscSteps { get; init; } = 4;
    public double OscDt { get; init; } = 0.5;
    public int ReadMult { get; init; } = 3;
    public int PhaseDim { get; init; } = 64;
    public int PhaseHeads { get; init; } = 4;
    public int EngramOrders { get; init; } = 3;
    public int EngramHeads { get; init; } = 2;
    public int EngramTable { get; init; } = 4096;
    public int EngramDim { get; init; } = 32;
    public int SpecPerRing { get; init; } = 7;
    public int SpecDim { get; init; } = 32;
    public int SpecTopK { get; init; } = 2;
    public int MemChunk { get; init; } = 256;
    public int HrmDim { get; init; } = 384;
    public int HrmSteps { get; init; } = 3;
    public int MoeExperts { get; init; } = 4;
    public int MoeTopK { get; init; } = 2;
    public int MoeHidden { get; init; } = 1792;
    public int MtpHeads { get; init; } = 4;
    public int JepaDim { get; init; } = 256;
    public int JepaHorizon { get; init; } = 1;
    public double ZWeight { get; init; } = 1e-4;
    public double MtpWeight { get; init; } = 0.3;
    public double JepaWeight { get; init; } = 0.1;
    public double BalanceWeight { get; init; } = 0.01;
    public bool UseRings { get; init; } = true;
    public bool UseRingControllers { get; init; } = true;
    public bool UseRingSpecialists { get; init; } = true;
    public bool UseHrm { get; init; } = true;
    public bool UseMoe { get; init; } = true;
    public bool UseMtp { get; init; } = true;
    public bool UseJepa { get; init; } = true;
    public bool UseFractalPhaseSeed { get; init; } = true;
    public bool UseDerf { get; init; }
    public bool UseXsa { get; init; }
    public double RopeTheta { get; init; } = 10000;
    public double NormEps { get; init; } = 1e-6;
    public int MaxSeqLen { get; init; } = 4096;

    [JsonIgnore]
    public int NRing => Rings.Count;

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
