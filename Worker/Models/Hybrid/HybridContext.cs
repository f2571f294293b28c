using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, E width of all key/value heads.
namespace Hearth.Models.Hybrid;

/// <summary>What a forward pass hands to every layer.</summary>
/// <param name="Kappa">Factor on the quantiser's grid step; null = plain weights.</param>
internal sealed record HybridContext(long Offset, ScalarType Compute, RopeTables Rope, double? Kappa) : ForwardContext(Offset, Compute, Rope)
{
    /// <summary>The value embedding of the rows, [B,T,E].</summary>
    internal Tensor? Values_BTE { get; init; }

    /// <summary>x times a weight transposed, by its quantised values where training is quantised.</summary>
    internal Tensor Linear(Tensor x, Tensor weight) =>
        Functions.Linear(x, Kappa is { } kappa ? Int6.StraightThrough(weight, kappa) : weight, Compute).to(weight.dtype);
}
