using Hearth.Models.Blocks;
using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, D model width, F hidden width, E experts, N = B·T rows.
namespace Hearth.Models.Vuaf;

/// <summary>w3(silu(w1 x) ⊙ w2 x) under the published names (Shazeer, arXiv 2002.05202).</summary>
internal sealed record VuafSwiGluConfig(int Dim, int Hidden) : FeedForwardConfig
{
    public override double MultiplyAdds => 3.0 * Dim * Hidden;

    public override double Activations => (4.0 * Hidden) + Dim;

    public override FeedForward Build(Weights w) => new VuafSwiGlu(this, w);
}

internal sealed class VuafSwiGlu(VuafSwiGluConfig config, Weights w) : FeedForward
{
    private readonly Tensor _gate_FD = w.Matrix("w1.weight", config.Hidden, config.Dim, Init.Xavier());
    private readonly Tensor _up_FD = w.Matrix("w2.weight", config.Hidden, config.Dim, Init.Xavier());
    private readonly Tensor _down_DF = w.Matrix("w3.weight", config.Dim, config.Hidden, Init.Xavier());

    public override Tensor Forward(Tensor x_BTD, ForwardContext context)
    {
        var (gate, up) = (Functions.Linear(x_BTD, _gate_FD, context.Compute), Functions.Linear(x_BTD, _up_FD, context.Compute));
        return Functions.Linear(FusedKernels.SwiGlu(gate, up) ?? (gate.silu() * up), _down_DF, context.Compute);
    }
}

/// <summary>The best of E such networks for each token, times its probability; nothing is dropped (Switch, arXiv 2101.03961).</summary>
internal sealed record VuafMoeConfig(int Dim, int Hidden, int Count, int TopK) : FeedForwardConfig
{
    private VuafSwiGluConfig Expert => new(Dim, Hidden);

    public override double MultiplyAdds => ((double)Count * Dim) + (TopK * Expert.MultiplyAdds);

    public override double Activations => (4.0 * Count) + (TopK * (Expert.Activations + (2 * Dim)));

    public override FeedForward Build(Weights w) => new Moe(this, w);

    private sealed class Moe(VuafMoeConfig config, Weights w) : FeedForward
    {
        private readonly Tensor _router_ED = w.Factor("router.weight", config.Count, config.Dim, Init.Xavier());
        private readonly FeedForward[] _experts = [.. Enumerable.Range(0, config.Count).Select(e => config.Expert.Build(w.Under($"experts.{e}")))];

        public override Tensor Forward(Tensor x_BTD, ForwardContext context)
        {
            var x_ND = x_BTD.reshape(-1, config.Dim);

            // The router multiplies in the master's type: a choice must not hang on a rounding of bf16.
            var routing = Experts.Route(nn.functional.linear(x_ND, _router_ED), config.TopK);
            context.Balance?.Add(Experts.LoadBalance(routing));
            return Experts.Mix(x_ND, routing, (e, rows) => _experts[e].Forward(rows, context)).view(x_BTD.shape);
        }
    }
}
