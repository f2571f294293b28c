using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Models.Blocks;

/// <summary>down(silu(gate x) ⊙ up x) (Shazeer, arXiv 2002.05202). gate, up [F,D]; down [D,F].</summary>
/// <param name="DownScale">Factor on Xavier's bound for down: 1/√(2L) keeps the residual stream's variance.</param>
public sealed record SwiGluConfig(int Dim, int Hidden, double DownScale) : FeedForwardConfig
{
    public override double MultiplyAdds => 3.0 * Dim * Hidden;

    public override double Activations => (4.0 * Hidden) + Dim;

    public override FeedForward Build(Weights w) => new SwiGlu(this, w);

    private sealed class SwiGlu(SwiGluConfig config, Weights w) : FeedForward
    {
        private readonly Tensor _gate_FD = w.Matrix("gate", config.Hidden, config.Dim, Init.Xavier());
        private readonly Tensor _up_FD = w.Matrix("up", config.Hidden, config.Dim, Init.Xavier());
        private readonly Tensor _down_DF = w.Matrix("down", config.Dim, config.Hidden, Init.Xavier(config.DownScale));

        public override Tensor Forward(Tensor x_BTD, ForwardContext context)
        {
            var gate_BTF = Functions.Linear(x_BTD, _gate_FD, context.Compute);
            var up_BTF = Functions.Linear(x_BTD, _up_FD, context.Compute);
            return Functions.Linear(FusedKernels.SwiGlu(gate_BTF, up_BTF) ?? (gate_BTF.silu() * up_BTF), _down_DF, context.Compute);
        }
    }
}
