using static TorchSharp.torch;

namespace Hearth.Models.Positronic;

/// <summary>The gates by which a trait opens, and the clamp that bounds the oscillators' output.</summary>
internal static class Gates
{
    private const double Bound = 10;
    private const double LeastSlope = 0.05;

    /// <summary>
    /// tanh(g)·c, with a gradient for c even where the gate is shut: κ·(c − sg(c)) adds nothing to the value and s·max(0.05, |tanh g|)
    /// to the slope. At g = 0 the trait changes no bit and still learns.
    /// </summary>
    internal static Tensor NoOp(Tensor content, Tensor gate)
    {
        var open = gate.tanh();
        var value = open * content;
        if (!is_grad_enabled())
        {
            return value;
        }

        var shut = open.detach();
        var sign = shut.lt(0).to(shut.dtype) * -2 + 1;
        var missing = sign * ((shut * sign * -1) + LeastSlope).clamp(min: 0);
        return value + (missing * (content - content.detach()));
    }

    /// <summary>10·erf(y√π/20): slope 1 at 0, never beyond ±10.</summary>
    internal static Tensor SoftClamp(Tensor y) => (y * (Math.Sqrt(Math.PI) / (2 * Bound))).erf() * Bound;

    /// <summary>(1 + erf(x))/2: 0..1, ½ at 0.</summary>
    internal static Tensor Derf(Tensor x) => (x.erf() + 1) * 0.5;
}
