using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, D model width, K tables, E width of a table's row, N oscillators of two neighbouring rings.
namespace Hearth.Models.Positronic;

/// <summary>
/// Memory of n-grams: hashes of the last tokens pick rows of tables, a gate that reads the context weighs them, and the result
/// drives two rings.
/// </summary>
internal sealed class Engram(PositronicConfig config, int slot, Weights w)
{
    private readonly Tensor _tables = w.Table("tables", config.EngramTables, config.EngramTable, config.EngramDim);
    private readonly Tensor _proj = w.Matrix("proj", config.Pair(slot), config.EngramTables * config.EngramDim, PositronicInit.FanIn(config.EngramTables * config.EngramDim));
    private readonly Tensor _ctx_1D = w.Vector("ctx", PositronicInit.Small, 1, config.DModel);
    private readonly Tensor _derfA = w.Vector("derf_a", Init.Ones, 1);
    private readonly Tensor _derfB = w.Vector("derf_b", Init.Constant(-1), 1);
    private readonly Tensor _gate = w.Gate("gate");

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
