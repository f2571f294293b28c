using static TorchSharp.torch;

namespace Hearth.Models.Blocks;

/// <summary>
/// Sequential multi-token prediction (DeepSeek-V3, arXiv 2412.19437 §2.2): module k reads the state of module k−1 at t and
/// the embedding of token t+k, and predicts token t+k+1 with the trunk's head.
/// </summary>
/// <param name="Heads">Main head and modules together, K.</param>
/// <param name="Weight">Weight of the mean of the modules' losses.</param>
/// <param name="Block">A transformer layer per module; null = u + W_res·silu(u), W_res zero at the start.</param>
public sealed record MtpConfig(int Heads, double Weight, double NormEps, LayerConfig? Block)
{
    public MtpModule[] Build(int dim, Weights w) => [.. Enumerable.Range(1, Math.Max(0, Heads - 1)).Select(k => new MtpModule(this, dim, w.Under($"mtp.{k}")))];

    public double MultiplyAdds(int dim, int seqLen) =>
        (Heads - 1) * ((2.0 * dim * dim) + (Block?.MultiplyAdds(seqLen) ?? (double)dim * dim));

    /// <summary>Of each module.</summary>
    public IEnumerable<double> Activations(int dim) =>
        Enumerable.Repeat((8.0 * dim) + (Block?.Activations ?? 2.0 * dim), Math.Max(0, Heads - 1));
}

public sealed class MtpModule(MtpConfig config, int dim, Weights w)
{
    private readonly Tensor _normH_D = w.Norm("norm_h", dim);
    private readonly Tensor _normE_D = w.Norm("norm_e", dim);
    private readonly Tensor _proj = w.Matrix("proj", dim, 2 * dim, Init.Xavier());
    private readonly Layer? _block = config.Block?.Build(w.Under("block"));
    private readonly Tensor? _res = config.Block is null ? w.Matrix("res", dim, dim, Init.Zeros) : null;
    private readonly Tensor _normOut_D = w.Norm("norm_out", dim);

    /// <summary>Whether a row reads those before it: the module has a block.</summary>
    public bool MixesRows => _block is not null;

    /// <summary>State [B,T,D] of the module before and embeddings [B,T,D] of the tokens k ahead, to this module's state.</summary>
    public Tensor Forward(Tensor hidden_BTD, Tensor next_BTD, ForwardContext context)
    {
        var both = cat([Functions.RmsNorm(hidden_BTD, _normH_D, config.NormEps), Functions.RmsNorm(next_BTD, _normE_D, config.NormEps)], -1);
        var u_BTD = Functions.Linear(both, _proj, context.Compute);
        // The block's residual stream runs in the masters' type, as the trunk's does.
        u_BTD = u_BTD.to(_normH_D.dtype);
        return _block is null ? u_BTD + Functions.Linear(u_BTD.silu(), _res!, context.Compute) : _block.Forward(u_BTD, context);
    }

    public Tensor NormOut(Tensor hidden_BTD) => Functions.RmsNorm(hidden_BTD, _normOut_D, config.NormEps);
}
