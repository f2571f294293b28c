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

    public override IEnumerable<TensorSpec> Tensors(string prefix) =>
        [.. Factors(prefix + ".gate", Dim, Hidden, 1), .. Factors(prefix + ".up", Dim, Hidden, 1), .. Factors(prefix + ".down", Hidden, Dim, DownScale)];

    public override FeedForward Build(Func<string, Tensor> weight, string prefix) => new LowRankSwiGlu(weight, prefix);

    private TensorSpec[] Factors(string name, int input, int output, double scale) =>
    [
        TensorSpec.Matrix(name + "_a", Rank, input, Init.Normal(Math.Sqrt(2.0 / (Dim + Hidden)))) with { MuonRows = [] },
        TensorSpec.Matrix(name + "_b", output, Rank, Init.Normal(scale / Math.Sqrt(Rank))) with { MuonRows = [] },
    ];

    private sealed class LowRankSwiGlu(Func<string, Tensor> weight, string prefix) : FeedForward
    {
        private readonly Product _gate = new(weight, prefix + ".gate");
        private readonly Product _up = new(weight, prefix + ".up");
        private readonly Product _down = new(weight, prefix + ".down");

        public override Tensor Forward(Tensor x_BTD, ForwardContext context)
        {
            var (gate, up) = (_gate.Apply(x_BTD, context), _up.Apply(x_BTD, context));
            return _down.Apply(FusedKernels.SwiGlu(gate, up) ?? (gate.silu() * up), context);
        }
    }

    private sealed class Product(Func<string, Tensor> weight, string name)
    {
        private readonly Tensor _a = weight(name + "_a");
        private readonly Tensor _b = weight(name + "_b");

        public Tensor Apply(Tensor x, ForwardContext context) =>
            Functions.Linear(Functions.Linear(x, _a, context.Compute), _b, context.Compute);
    }
}
