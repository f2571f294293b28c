using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, E width of all key/value heads.
namespace Hearth.Models.Hybrid;

/// <summary>What a forward pass hands to every layer.</summary>
/// <param name="Offset">Position of the first row (tokens already in the caches).</param>
/// <param name="Compute">Type of matrix products.</param>
/// <param name="Rope">The model's rotary tables.</param>
/// <param name="Kappa">Factor on the quantiser's grid step; null = plain weights.</param>
internal sealed record HybridContext(long Offset, ScalarType Compute, RopeTables Rope, double? Kappa)
{
    /// <summary>The value embedding of the rows, [B,T,E].</summary>
    internal Tensor? Values_BTE { get; init; }

    /// <summary>x times a weight transposed, by its quantised values where training is quantised.</summary>
    internal Tensor Linear(Tensor x, Tensor weight) =>
        Functions.Linear(x, Kappa is { } kappa ? Int6.StraightThrough(weight, kappa) : weight, Compute).to(weight.dtype);
}
