using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, N oscillators of two neighbouring rings, P width of attention.
namespace Hearth.Models.Positronic;

/// <summary>Causal attention between tokens over the phases of two rings; its output drives both. No positions.</summary>
internal sealed class PhaseAttention(PositronicConfig config, Func<string, Tensor> weight, string prefix)
{
    private readonly Tensor _q = weight(prefix + ".q");
    private readonly Tensor _k = weight(prefix + ".k");
    private readonly Tensor _v = weight(prefix + ".v");
    private readonly Tensor _o = weight(prefix + ".o");
    private readonly Tensor _gate = weight(prefix + ".gate");

    /// <summary>[cos θ_s, sin θ_s, cos θ_{s+1}, sin θ_{s+1}] [B,T,2N] to a current [B,T,N].</summary>
    internal Tensor Forward(Tensor phases, ScalarType compute, KvCache? cache)
    {
        var (k, v) = (Split(Functions.Linear(phases, _k, compute)), Split(Functions.Linear(phases, _v, compute)));
        if (cache is not null)
        {
            (k, v) = cache.Append(k, v);
        }

        var y = CausalAttention.Attend(Split(Functions.Linear(phases, _q, compute)), k, v);
        var rows_BTP = y.transpose(1, 2).reshape(phases.size(0), phases.size(1), config.PhaseDim);
        return Gates.NoOp(Functions.Linear(rows_BTP, _o, compute).to(phases.dtype), _gate);
    }

    private Tensor Split(Tensor x_BTP) =>
        x_BTP.view(x_BTP.size(0), x_BTP.size(1), config.PhaseHeads, config.PhaseDim / config.PhaseHeads).transpose(1, 2);
}
