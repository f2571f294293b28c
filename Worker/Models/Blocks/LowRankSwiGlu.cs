using Hearth.Kernels;
using static TorchSharp.torch;

// D model width, F hidden width, R rank.
namespace Hearth.Models.Blocks;

/// <summary>
/// SwiGLU whose matrices are products B·A of rank R, without anything between the two: A [R,in], B [out,R]. Both start so that B·A
/// has Xavier's variance.
/// </summary>
/// <param name="DownScale">Factor on the start of down.</param>
public sealed record LowRankSwiGluConfig(int Dim, int Hidden, int Rank, double DownScale) : FeedForwardConfig
{
    public override double MultiplyAdds => 3.0 * Rank * (Dim + Hidden);

    public override double Activations => (4.0 * Hidden) + (3.0 * Rank) + Dim;

    public override FeedForward Build(Weights w) => new LowRankSwiGlu(this, w);

    private sealed class LowRankSwiGlu(LowRankSwiGluConfig config, Weights w) : FeedForward
    {
        private readonly Product _gate = new(config, w, "gate", config.Dim, config.Hidden, 1);
        private readonly Product _up = new(config, w, "up", config.Dim, config.Hidden, 1);
        private readonly Product _down = new(config, w, "down", config.Hidden, config.Dim, config.DownScale);

        public override Tensor Forward(Tensor x_BTD, ForwardContext context)
        {
            var (gate, up) = (_gate.Apply(x_BTD, context), _up.Apply(x_BTD, context));
            return _down.Apply(FusedKernels.SwiGlu(gate, up) ?? (gate.silu() * up), context);
        }
    }

    private sealed class Product(LowRankSwiGluConfig config, Weights w, string name, int input, int output, double scale)
    {
        private readonly Tensor _a = w.Factor(name + "_a", config.Rank, input, Init.Normal(Math.Sqrt(2.0 / (config.Dim + config.Hidden))));
        private readonly Tensor _b = w.Factor(name + "_b", output, config.Rank, Init.Normal(scale / Math.Sqrt(config.Rank)));

        public Tensor Apply(Tensor x, ForwardContext context) =>
            Functions.Linear(Functions.Linear(x, _a, context.Compute), _b, context.Compute);
    }
}
