using static TorchSharp.torch;

// B batch, T time, D model width.
namespace Hearth.Models.Moa;

/// <summary>Path 0: out(silu(conv(a)) ⊙ σ(g)) with [a|g] = in(n).</summary>
internal sealed class LocalConv(Func<string, Tensor> weight, string prefix)
{
    private readonly Tensor _in = weight(prefix + ".in");
    private readonly Tensor _taps_DJ = weight(prefix + ".dw");
    private readonly Tensor _out = weight(prefix + ".out");

    internal Tensor Forward(Tensor n_BTD, MoaPass pass, ConvTail? tail)
    {
        long width = n_BTD.size(-1);
        var both = Functions.Linear(n_BTD, _in, pass.Compute);
        var local_BTD = CausalConv.Forward(both.narrow(-1, 0, width), _taps_DJ, tail);
        return Functions.Linear(local_BTD.silu() * both.narrow(-1, width, width).sigmoid(), _out, pass.Compute);
    }
}

/// <summary>Path 2: fc2(gelu(fc1 n)).</summary>
internal sealed class ChannelMix(Func<string, Tensor> weight, string prefix)
{
    private readonly Tensor _fc1 = weight(prefix + ".fc1");
    private readonly Tensor _fc2 = weight(prefix + ".fc2");

    internal Tensor Forward(Tensor n_BTD, MoaPass pass) =>
        Functions.Linear(nn.functional.gelu(Functions.Linear(n_BTD, _fc1, pass.Compute)), _fc2, pass.Compute);
}
