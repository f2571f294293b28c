using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Models.Blocks;

/// <summary>SwiGLU over ternary weights (<see cref="Ternary"/>); tensors as <see cref="SwiGluConfig"/>, latent in the masters' type.</summary>
/// <param name="Latent">Shapes and starts.</param>
/// <param name="NormEps">Of the norm before each product.</param>
/// <param name="QuantizeInputs">8-bit codes per token.</param>
public sealed record TernarySwiGluConfig(SwiGluConfig Latent, double NormEps, bool QuantizeInputs) : FeedForwardConfig
{
    public override double MultiplyAdds => Latent.MultiplyAdds;

    public override double Activations => (2 * Latent.Activations) + Latent.Dim;

    public override FeedForward Build(Weights w) => new TernarySwiGlu(this, w);

    private sealed class TernarySwiGlu(TernarySwiGluConfig config, Weights w) : FeedForward
    {
        private readonly Tensor _gate_FD = w.Matrix("gate", config.Latent.Hidden, config.Latent.Dim, Init.Xavier());
        private readonly Tensor _up_FD = w.Matrix("up", config.Latent.Hidden, config.Latent.Dim, Init.Xavier());
        private readonly Tensor _down_DF = w.Matrix("down", config.Latent.Dim, config.Latent.Hidden, Init.Xavier(config.Latent.DownScale));

        public override Tensor Forward(Tensor x_BTD, ForwardContext context)
        {
            var gate_BTF = Product(x_BTD, _gate_FD, context);
            var up_BTF = Product(x_BTD, _up_FD, context);
            return Product(FusedKernels.SwiGlu(gate_BTF, up_BTF) ?? (gate_BTF.silu() * up_BTF), _down_DF, context);
        }

        private Tensor Product(Tensor x, Tensor weight, ForwardContext context) =>
            Ternary.Linear(x, weight, config.NormEps, config.QuantizeInputs, context.Compute);
    }
}
