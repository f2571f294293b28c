using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, N oscillators of two neighbouring rings, P width of attention.
namespace Hearth.Models.Positronic;

/// <summary>Causal attention between tokens over the phases of two rings; its output drives both. No positions.</summary>
internal sealed class PhaseAttention(PositronicConfig config, int slot, Weights w)
{
    private readonly Tensor _q = FromPhases(config, slot, w, "q");
    private readonly Tensor _k = FromPhases(config, slot, w, "k");
    private readonly Tensor _v = FromPhases(config, slot, w, "v");
    private readonly Tensor _o = w.Matrix("o", config.Pair(slot), config.PhaseDim, PositronicInit.FanIn(config.PhaseDim));
    private readonly Tensor _gate = w.Gate("gate");

    /// <summary>[cos θ_s, sin θ_s, cos θ_{s+1}, sin θ_{s+1}] [B,T,2N] to a current [B,T,N].</summary>
    internal Tensor Forward(Tensor phases, PassContext pass)
    {
        var (k, v) = pass.Past.Extend(this, Split(Functions.Linear(phases, _k, pass.Compute)), Split(Functions.Linear(phases, _v, pass.Compute)));
        var y = CausalAttention.Attend(Split(Functions.Linear(phases, _q, pass.Compute)), k, v);
        var rows_BTP = y.transpose(1, 2).reshape(phases.size(0), phases.size(1), config.PhaseDim);
        return Gates.NoOp(Functions.Linear(rows_BTP, _o, pass.Compute).to(phases.dtype), _gate);
    }

    // A cosine and a sine of every oscillator.
    private static Tensor FromPhases(PositronicConfig config, int slot, Weights w, string name) =>
        w.Matrix(name, config.PhaseDim, 2 * config.Pair(slot), PositronicInit.FanIn(2 * config.Pair(slot)));

    private Tensor Split(Tensor x_BTP) =>
        x_BTP.view(x_BTP.size(0), x_BTP.size(1), config.PhaseHeads, config.PhaseDim / config.PhaseHeads).transpose(1, 2);
}
