using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, H heads of this rope (1 when heads share), T time, N head width, P = N/2 pairs, M Fourier terms.
namespace Hearth.Models.Moa;

/// <summary>
/// Rotary positions (Su et al., arXiv 2104.09864) whose frequencies are warped by a small learned Fourier series over the
/// pairs, and a gain of values bounded to [energy_min, energy_max] from a series over positions and the discrepancy of the
/// input. Angles are linear in the position, so keys may be kept turned.
/// </summary>
internal sealed class BlackHoleRope(MoaConfig config, int heads, Weights w)
{
    private readonly Tensor _freqSin_HM = Frequency(config, heads, w, "freq_sin");
    private readonly Tensor _freqCos_HM = Frequency(config, heads, w, "freq_cos");
    private readonly Tensor _energySin_HM = w.Vector("en_sin", Init.Zeros, heads, config.RBasis);
    private readonly Tensor _energyCos_HM = w.Vector("en_cos", Init.Zeros, heads, config.RBasis);

    // The energy starts at exactly 1: sigmoid(bias) = (1 − min) / (max − min).
    private readonly Tensor _energyBias_H = w.Vector("en_bias", Init.Constant(Math.Log((1 - config.EnergyMin) / (config.EnergyMax - 1))), heads);
    private readonly Tensor _energyDisc_H = w.Vector("en_disc", Init.Zeros, heads);

    /// <summary>Cosines and sines of t·θ_p·exp(δ) at positions offset..offset+time−1; δ within ±1.</summary>
    internal (Tensor Cos_HTP, Tensor Sin_HTP) Turn(FourierTables tables, long offset, long time)
    {
        var warp_HP = (_freqSin_HM.matmul(tables.PairSin_MP) + _freqCos_HM.matmul(tables.PairCos_MP)).clamp(-1.0, 1.0);
        var frequency_H1P = (warp_HP.exp() * tables.Frequency_P).unsqueeze(1);
        var angle_HTP = tables.Rows(offset, time).Position_T.unsqueeze(1) * frequency_H1P;
        return (angle_HTP.cos(), angle_HTP.sin());
    }

    /// <summary>Gain of the value at each position, [B or 1,H,T,1].</summary>
    /// <param name="tables">The model's.</param>
    /// <param name="offset">Position of the first row.</param>
    /// <param name="time">Rows.</param>
    /// <param name="discrepancy_BT">Null when it does not modulate.</param>
    internal Tensor Energy(FourierTables tables, long offset, long time, Tensor? discrepancy_BT)
    {
        var (_, sin_MT, cos_MT) = tables.Rows(offset, time);
        var raw_HT = _energySin_HM.matmul(sin_MT) + _energyCos_HM.matmul(cos_MT) + _energyBias_H.unsqueeze(1);
        var raw_BHT = discrepancy_BT is null ? raw_HT.unsqueeze(0) : raw_HT + (_energyDisc_H.unsqueeze(1) * discrepancy_BT.unsqueeze(1));
        return ((raw_BHT.sigmoid() * (config.EnergyMax - config.EnergyMin)) + config.EnergyMin).unsqueeze(-1);
    }

    /// <summary>x [B,·,T,N] turned pair by pair, (p, p + N/2); its norm stays.</summary>
    internal static Tensor Rotate(Tensor x_BHTN, (Tensor Cos_HTP, Tensor Sin_HTP) turn) =>
        FusedKernels.Rotate(x_BHTN, turn.Cos_HTP, turn.Sin_HTP) ?? Naive(x_BHTN, turn);

    private static Tensor Frequency(MoaConfig config, int heads, Weights w, string name) =>
        w.Take(new TensorSpec(name, [heads, config.RBasis], ParameterGroup.Vector, Init.Zeros) { LrScale = config.FreqLrMult });

    internal static Tensor Naive(Tensor x_BHTN, (Tensor Cos_HTP, Tensor Sin_HTP) turn)
    {
        long half = x_BHTN.size(-1) / 2;
        var a = x_BHTN.narrow(-1, 0, half);
        var b = x_BHTN.narrow(-1, half, half);
        return cat([(a * turn.Cos_HTP) - (b * turn.Sin_HTP), (a * turn.Sin_HTP) + (b * turn.Cos_HTP)], -1);
    }
}
