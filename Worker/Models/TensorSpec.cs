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
}

public enum InitKind
{
    Zeros,
    Ones,
    Xavier,
    Normal,
}

/// <summary>A parameter before it exists: name, shape ([out,in] for matrices), group and start.</summary>
public sealed record TensorSpec(string Name, IReadOnlyList<long> Shape, ParameterGroup Group, Init Init)
{
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);

    public static TensorSpec Matrix(string name, long rows, long columns, Init init) => new(name, [rows, columns], ParameterGroup.Matrix, init);

    public static TensorSpec Norm(string name, long width) => new(name, [width], ParameterGroup.Vector, Init.Ones);
}
