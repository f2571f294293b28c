using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Models.Blocks;

/// <summary>down(silu(gate x) ⊙ up x) (Shazeer, arXiv 2002.05202). gate, up [F,D]; down [D,F].</summary>
/// <param name="DownScale">Factor on Xavier's bound for down: 1/√(2L) keeps the residual stream's variance.</param>
public sealed record SwiGluConfig(int Dim, int Hidden, double DownScale) : FeedForwardConfig
{
    public override double MultiplyAdds => 3.0 * Dim * Hidden;

    public override double Activations => (4.0 * Hidden) + Dim;

    public override IEnumerable<TensorSpec> Tensors(string prefix) =>
    [
        TensorSpec.Matrix(prefix + ".gate", Hidden, Dim, Init.Xavier()),
        TensorSpec.Matrix(prefix + ".up", Hidden, Dim, Init.Xavier()),
        TensorSpec.Matrix(prefix + ".down", Dim, Hidden, Init.Xavier(DownScale)),
    ];

    public override FeedForward Build(Func<string, Tensor> weight, string prefix) => new SwiGlu(weight, prefix);

    private sealed class SwiGlu(Func<string, Tensor> weight, string prefix) : FeedForward
    {
        private readonly Tensor _gate_FD = weight(prefix + ".gate");
        private readonly Tensor _up_FD = weight(prefix + ".up");
        private readonly Tensor _down_DF = weight(prefix + ".down");

        public override Tensor Forward(Tensor x_BTD, ForwardContext context)
        {
            var gate_BTF = Functions.Linear(x_BTD, _gate_FD, context.Compute);
            var up_BTF = Functions.Linear(x_BTD, _up_FD, context.Compute);
            return Functions.Linear(FusedKernels.SwiGlu(gate_BTF, up_BTF) ?? (gate_BTF.silu() * up_BTF), _down_DF, context.Compute);
        }
    }
}
