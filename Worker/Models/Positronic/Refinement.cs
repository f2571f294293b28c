using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, D model width, N = B·T rows, E experts.
namespace Hearth.Models.Positronic;

/// <summary>
/// Refines a learned state against the trunk for a few gated steps and adds what was gained (after the hierarchical reasoning model,
/// arXiv 2506.21734): z ← z + tanh(g)·U silu(D [norm z; x]), x ← x + (z − z₀).
/// </summary>
internal sealed class Reasoner(PositronicConfig config, Weights w)
{
    private readonly Tensor _start_D = w.Vector("z0", PositronicInit.Small, config.DModel);
    private readonly Tensor _norm_D = w.Norm("norm", config.DModel);
    private readonly Tensor _down = w.Matrix("down", config.HrmDim, 2 * config.DModel, PositronicInit.Small);
    private readonly Tensor _up = w.Matrix("up", config.DModel, config.HrmDim, Init.Zeros);
    private readonly Tensor _gate = w.Vector("gate", PositronicInit.OpenGate, config.HrmSteps);

    internal Tensor Forward(Tensor x_BTD, ScalarType compute)
    {
        var z_BTD = _start_D.expand(x_BTD.shape);
        var open = _gate.tanh();
        for (int i = 0; i < config.HrmSteps; i++)
        {
            var both = cat([Functions.RmsNorm(z_BTD, _norm_D, config.NormEps), x_BTD], -1);
            var step = Functions.Linear(Functions.Linear(both, _down, compute).silu(), _up, compute);
            z_BTD = z_BTD + (open.narrow(0, i, 1) * step);
        }

        return x_BTD + (z_BTD - _start_D);
    }
}

/// <summary>A shared expert that every token passes, and the best of several routed ones; SwiGLU each.</summary>
internal sealed class SharedMoe(PositronicConfig config, Weights w)
{
    private readonly Tensor _norm_D = w.Norm("norm", config.DModel);
    private readonly Tensor _router = w.Vector("router", PositronicInit.Small, config.MoeExperts, config.DModel);
    private readonly SwiGlu _shared = new(config, w.Under("shared"));
    private readonly SwiGlu[] _experts = [.. Enumerable.Range(0, config.MoeExperts).Select(e => new SwiGlu(config, w.Under($"expert{e}")))];

    /// <summary>x [B,T,D] with both added, and the choices.</summary>
    internal (Tensor X_BTD, Routing Routing) Forward(Tensor x_BTD, ScalarType compute)
    {
        var normed_ND = Functions.RmsNorm(x_BTD, _norm_D, config.NormEps).reshape(-1, config.DModel);

        // The router's own product stays in the masters' type: which expert is chosen must not hang on rounding.
        var routing = Experts.Route(nn.functional.linear(normed_ND.to(_router.dtype), _router), config.MoeTopK);
        var routed_ND = Experts.Mix(normed_ND, routing, (e, rows) => _experts[e].Forward(rows, compute));
        return (x_BTD + (_shared.Forward(normed_ND, compute) + routed_ND).view(x_BTD.shape), routing);
    }

    private sealed class SwiGlu(PositronicConfig config, Weights w)
    {
        private readonly Tensor _gate = w.Matrix("gate", config.MoeHidden, config.DModel, PositronicInit.Small);
        private readonly Tensor _up = w.Matrix("up", config.MoeHidden, config.DModel, PositronicInit.Small);
        private readonly Tensor _down = w.Matrix("down", config.DModel, config.MoeHidden, Init.Zeros);

        internal Tensor Forward(Tensor rows_ND, ScalarType compute) =>
            Functions.Linear(Functions.Linear(rows_ND, _gate, compute).silu() * Functions.Linear(rows_ND, _up, compute), _down, compute);
    }
}
