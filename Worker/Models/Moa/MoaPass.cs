using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, R = B·T rows, S triples, H heads, K key heads, N head width.
namespace Hearth.Models.Moa;

/// <summary>How metric attention is computed: by its definition, or as a dot product with one more channel.</summary>
internal enum AttentionForm
{
    Augmented,
    Explicit,
}

/// <summary>What differs between training steps.</summary>
/// <param name="KeepsTwo">Each token keeps its two largest paths, as it does outside training where <c>router_topk</c> is 2.</param>
internal sealed record MoaChoices(bool KeepsTwo) : StepChoices;

/// <summary>One forward pass: where its rows stand, how to compute, and what it gathers on the way.</summary>
/// <param name="Tables">The model's sines and cosines.</param>
/// <param name="Form">Of attention.</param>
/// <param name="Training">Null outside training.</param>
internal sealed record MoaPass(long Offset, ScalarType Compute, FourierTables Tables, AttentionForm Form, MoaChoices? Training) : PassContext(Offset, Compute)
{
    /// <summary>The triangle term's gatherer; null where it is not computed.</summary>
    internal TriangleTerm? Triangle { get; init; }

    /// <summary>The router's softmax [B,T,4] of each block.</summary>
    internal List<Tensor> Routes { get; private init; } = [];

    /// <summary>The path weights [B,T,4] of each block: those softmaxes, or their two largest.</summary>
    internal List<Tensor> Omegas { get; private init; } = [];

    /// <summary>What was gathered, as one list of tensors.</summary>
    internal Tensor[] Gathered => [.. Routes, .. Omegas, .. Triangle?.Means ?? []];

    /// <summary>The same pass in one block, with nothing gathered yet.</summary>
    internal MoaPass In(int layer) => this with
    {
        Routes = [],
        Omegas = [],
        Triangle = Triangle?.In(layer),
        Dropout = DropoutKey_2 is null ? null : new KeyedDropout(DropoutKey_2, layer),
    };

    /// <summary>Adds what a block gathered.</summary>
    internal void Gather(Tensor[] block)
    {
        Routes.Add(block[0]);
        Omegas.Add(block[1]);
        Triangle?.Gather(block[2..]);
    }

    /// <summary>What drops elements in training; null where nothing does.</summary>
    internal KeyedDropout? Dropout { get; private init; }

    /// <summary>The step's numbers of <see cref="KeyedDropout"/>; null where nothing is dropped.</summary>
    internal Tensor? DropoutKey_2 { get; init; }

    /// <summary>Drops so large a share of what it is given; null where that is none.</summary>
    internal Func<Tensor, Tensor>? Drops(double share) => Dropout is { } dropout && share > 0 ? x => dropout.Apply(x, share) : null;
}
