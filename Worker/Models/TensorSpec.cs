using Hearth.Runs;

namespace Hearth.Models;

/// <summary>Which update rule and decay a parameter takes (optimizers.md §10a of the family specs).</summary>
public enum ParameterGroup
{
    Matrix,
    Embed,
    Vector,
}

/// <summary>How a parameter starts. <see cref="Scale"/> is a factor on Xavier's bound, a standard deviation, or unused.</summary>
public readonly record struct Init(InitKind Kind, double Scale = 1)
{
    public static Init Zeros => new(InitKind.Zeros);
    public static Init Ones => new(InitKind.Ones);

    /// <summary>U(±scale·√(6/(in+out))) over a [out,in] matrix (Glorot &amp; Bengio 2010).</summary>
    public static Init Xavier(double scale = 1) => new(InitKind.Xavier, scale);

    public static Init Normal(double std) => new(InitKind.Normal, std);

    /// <summary>A constant in every element.</summary>
    public static Init Constant(double value) => new(InitKind.Constant, value);

    /// <summary>1 in the first row of a matrix, 0 in the others.</summary>
    public static Init FirstRow => new(InitKind.FirstRow);

    /// <summary>These very values, in the tensor's order.</summary>
    public static Init Given(IReadOnlyList<double> values) => new(InitKind.Given) { Values = values };

    /// <summary>The elements of <see cref="InitKind.Given"/>.</summary>
    public IReadOnlyList<double>? Values { get; init; }

    /// <summary>gain · Q of a Gaussian matrix, uniform over orthogonal ones (Saxe et al., arXiv 1312.6120).</summary>
    public static Init Orthogonal(double gain = 1) => new(InitKind.Orthogonal, gain);

    /// <summary>Taps [channels,taps] of a causal convolution that starts near the identity: 1 on the present row, N(0,std) on those before.</summary>
    public static Init FirstTap(double std) => new(InitKind.FirstTap, std);
}

public enum InitKind
{
    Zeros,
    Ones,
    Xavier,
    Normal,
    Constant,
    Given,
    Orthogonal,
    FirstTap,
    FirstRow,
}

/// <summary>A parameter before it exists: name, shape ([out,in] for matrices), group and start.</summary>
/// <remarks>The group gives the learning rate; what else differs from the group's rule is stated by the family per tensor.</remarks>
public sealed record TensorSpec(string Name, IReadOnlyList<long> Shape, ParameterGroup Group, Init Init)
{
    /// <summary>Whether weight decay covers it: matrices do, unless a family says otherwise.</summary>
    public bool Decays { get; init; } = Group == ParameterGroup.Matrix;

    /// <summary>
    /// Heights of the stacked matrices that Muon orthogonalises one by one, from the top row; rows below them take Adam, and all
    /// do when it is empty. By default a matrix is one whatever its sides, and a stack [E,r,c] is E; families take heads, routers and
    /// low-rank pairs out.
    /// </summary>
    public IReadOnlyList<long> MuonRows { get; init; } = WholeMatrices(Shape, Group);

    /// <summary>
    /// A last-axis row whose gradient is exactly 0 keeps its weights and moments: tables of which a batch touches few rows.
    /// </summary>
    public bool SkipsEmptyRows { get; init; }

    /// <summary>A table that tokens look rows up in, as opposed to a head that is multiplied with.</summary>
    public bool LooksUp { get; init; } = Group == ParameterGroup.Embed;

    /// <summary>Kept in the type of the matrix products, without a master.</summary>
    public bool Narrow { get; init; }

    /// <summary>Factor on the learning rate of its group.</summary>
    public double LrScale { get; init; } = 1;

    /// <summary>What an optimizer's state depends on.</summary>
    public ParameterShape Parameter => new(Count, MuonRows.Sum() * Shape[^1], LooksUp, SkipsEmptyRows);

    public long Count => Shape.Aggregate(1L, (product, size) => product * size);

    public static TensorSpec Matrix(string name, long rows, long columns, Init init) => new(name, [rows, columns], ParameterGroup.Matrix, init);

    public static TensorSpec Norm(string name, long width) => new(name, [width], ParameterGroup.Vector, Init.Ones);

    private static IReadOnlyList<long> WholeMatrices(IReadOnlyList<long> shape, ParameterGroup group) =>
        group == ParameterGroup.Matrix && shape.Count is 2 or 3
            ? [.. Enumerable.Repeat(shape[^2], shape.Count == 3 ? (int)shape[0] : 1)]
            : [];
}
