using static TorchSharp.torch;

// B batch, T time, D model width.
namespace Hearth.Models.Moa;

/// <summary>Path 0: out(silu(conv(a)) ⊙ σ(g)) with [a|g] = in(n).</summary>
internal sealed class LocalConv(MoaConfig config, Weights w)
{
    private readonly Tensor _in = w.Matrix("in", 2 * config.Dim, config.Dim, MoaInit.Matrix);
    private readonly Tensor _taps_DJ = w.Vector("dw", MoaInit.Taps, config.Dim, config.ConvKernel);
    private readonly Tensor _out = w.Matrix("out", config.Dim, config.Dim, MoaInit.Residual(config));

    internal Tensor Forward(Tensor n_BTD, MoaPass pass)
    {
        long width = n_BTD.size(-1);
        var both = Functions.Linear(n_BTD, _in, pass.Compute);
        var a_BTD = both.narrow(-1, 0, width);
        var local_BTD = CausalConv.Forward(a_BTD, _taps_DJ, pass.Past.Before(this, "taps", a_BTD, config.ConvKernel - 1));
        return Functions.Linear(local_BTD.silu() * both.narrow(-1, width, width).sigmoid(), _out, pass.Compute);
    }
}

/// <summary>Path 2: fc2(gelu(fc1 n)).</summary>
internal sealed class ChannelMix(MoaConfig config, Weights w)
{
    private readonly Tensor _fc1 = w.Matrix("fc1", config.MixerHidden, config.Dim, MoaInit.Matrix);
    private readonly Tensor _fc2 = w.Matrix("fc2", config.Dim, config.MixerHidden, MoaInit.Residual(config));

    internal Tensor Forward(Tensor n_BTD, MoaPass pass) =>
        Functions.Linear(nn.functional.gelu(Functions.Linear(n_BTD, _fc1, pass.Compute)), _fc2, pass.Compute);
}
