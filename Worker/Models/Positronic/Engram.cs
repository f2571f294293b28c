using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, D model width, K tables, E width of a table's row, N oscillators of two neighbouring rings.
namespace Hearth.Models.Positronic;

/// <summary>
/// Memory of n-grams: hashes of the last tokens pick rows of tables, a gate that reads the context weighs them, and the result
/// drives two rings.
/// </summary>
internal sealed class Engram(PositronicConfig config, Func<string, Tensor> weight, string prefix)
{
    private readonly Tensor _tables = weight(prefix + ".tables");
    private readonly Tensor _proj = weight(prefix + ".proj");
    private readonly Tensor _ctx_1D = weight(prefix + ".ctx");
    private readonly Tensor _derfA = weight(prefix + ".derf_a");
    private readonly Tensor _derfB = weight(prefix + ".derf_b");
    private readonly Tensor _gate = weight(prefix + ".gate");

    /// <param name="x_BTD">The block's normed input.</param>
    /// <param name="rows_BTK">Rows of the K tables laid end to end.</param>
    /// <param name="wide">Type of phases.</param>
    /// <param name="compute">Type of matrix products.</param>
    internal Tensor Forward(Tensor x_BTD, Tensor rows_BTK, ScalarType wide, ScalarType compute)
    {
        var flat = _tables.view(-1, config.EngramDim);
        var found = Operators.Embedding(rows_BTK, flat).reshape(rows_BTK.size(0), rows_BTK.size(1), config.EngramTables * config.EngramDim);
        var context_BT1 = Functions.Linear(x_BTD, _ctx_1D, compute).to(wide);
        var open_BT1 = Gates.Derf((context_BT1 * _derfA) + _derfB);
        return Gates.NoOp(open_BT1 * Functions.Linear(found, _proj, compute).to(wide), _gate);
    }
}
