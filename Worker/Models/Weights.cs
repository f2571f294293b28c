using static TorchSharp.torch;

namespace Hearth.Models;

/// <summary>
/// Where a module declares its parameters, each with name, shape and start in one line: a plan notes the declarations, a built model
/// answers them with its tensors. The order of declarations is the order in which starts are drawn and tensors are stored.
/// </summary>
/// <remarks>
/// While a plan notes, there are no tensors: every declaration is answered with null. A module's constructor declares and keeps what
/// it is given, and computes nothing.
/// </remarks>
public sealed class Weights
{
    private readonly Func<TensorSpec, Tensor> _answer;
    private readonly string _prefix;

    private Weights(Func<TensorSpec, Tensor> answer, string prefix) => (_answer, _prefix) = (answer, prefix);

    /// <summary>Everything that <paramref name="declare"/> declares.</summary>
    public static IReadOnlyList<TensorSpec> Noted(Action<Weights> declare)
    {
        var noted = new List<TensorSpec>();
        declare(new Weights(
            spec =>
            {
                noted.Add(spec);
                return null!;
            },
            ""));
        return noted;
    }

    /// <summary>Tensors that exist, by their full names.</summary>
    /// <param name="tensor">Gives a tensor.</param>
    /// <param name="prefix">What stands before each declared name and a dot; empty = nothing.</param>
    public static Weights Of(Func<string, Tensor> tensor, string prefix = "") => new(spec => tensor(spec.Name), prefix);

    /// <summary>The same for a module inside: its names follow <paramref name="part"/> and a dot.</summary>
    public Weights Under(string part) => new(_answer, Full(part));

    public Tensor Take(TensorSpec spec) => _answer(spec with { Name = Full(spec.Name) });

    /// <summary>A matrix [out,in], which decays.</summary>
    public Tensor Matrix(string name, long rows, long columns, Init init) => Take(TensorSpec.Matrix(name, rows, columns, init));

    /// <summary>A matrix that Muon leaves to Adam: a router, a head, or a factor of a product, which is no map of its own.</summary>
    public Tensor Factor(string name, long rows, long columns, Init init) => Take(TensorSpec.Matrix(name, rows, columns, init) with { MuonRows = [] });

    /// <summary>The weight of a norm: ones, without decay.</summary>
    public Tensor Norm(string name, long width) => Take(TensorSpec.Norm(name, width));

    /// <summary>A gain, bias or other tensor that neither decays nor is a matrix to Muon, whatever its shape.</summary>
    public Tensor Vector(string name, Init init, params long[] shape) => Take(new TensorSpec(name, shape, ParameterGroup.Vector, init));

    private string Full(string name) => _prefix.Length == 0 ? name : $"{_prefix}.{name}";
}
