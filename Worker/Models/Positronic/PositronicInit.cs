using static TorchSharp.torch;

namespace Hearth.Models.Positronic;

/// <summary>How parameters start, and what differs from their group's rule.</summary>
internal static class PositronicInit
{
    /// <summary>atanh 0.9: a gate of the main mixer or of the refinement starts open.</summary>
    internal static Init OpenGate { get; } = Init.Constant(Math.Atanh(0.9));

    internal static Init Small { get; } = Init.Normal(0.02);

    internal static Init FanIn(int columns) => Init.Normal(1 / Math.Sqrt(columns));

    /// <summary>A table that tokens look rows up in: a batch touches few of them, the others keep weights and moments.</summary>
    internal static Tensor Table(this Weights w, string name, params long[] shape) =>
        w.Take(new TensorSpec(name, shape, ParameterGroup.Embed, Small) { SkipsEmptyRows = true });

    /// <summary>The gate of a trait, shut at the start.</summary>
    internal static Tensor Gate(this Weights w, string name) => w.Vector(name, Init.Zeros, 1);
}
