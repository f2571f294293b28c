using static TorchSharp.torch;

// B batch, T time, N oscillators of all rings, R rings.
namespace Hearth.Models.Positronic;

/// <summary>Where each ring's oscillators stand among all, and the matrices that sum over rings and spread over them.</summary>
internal sealed class RingLayout
{
    internal RingLayout(IReadOnlyList<int> sizes, ScalarType dtype, Device device)
    {
        Sizes = sizes;
        Starts = [.. sizes.Select((_, r) => sizes.Take(r).Sum())];
        Count = sizes.Sum();
        double[] means = new double[Count * sizes.Count], spread = new double[sizes.Count * Count];
        for (int r = 0; r < sizes.Count; r++)
        {
            for (int i = Starts[r]; i < Starts[r] + sizes[r]; i++)
            {
                means[(i * sizes.Count) + r] = 1.0 / sizes[r];
                spread[(r * Count) + i] = 1;
            }
        }

        Means_NR = tensor(means, Count, sizes.Count).to(dtype).to(device).DetachFromDisposeScope();
        Spread_RN = tensor(spread, sizes.Count, Count).to(dtype).to(device).DetachFromDisposeScope();
    }

    internal IReadOnlyList<int> Sizes { get; }

    internal IReadOnlyList<int> Starts { get; }

    internal int Count { get; }

    /// <summary>x [..,N] times this is the mean of each ring.</summary>
    internal Tensor Means_NR { get; }

    /// <summary>x [..,R] times this gives every oscillator its ring's value: one 1 in a column, so nothing is rounded.</summary>
    internal Tensor Spread_RN { get; }
}

/// <summary>What couples the rings of one layer at one moment; the last two dimensions may differ by token.</summary>
/// <param name="K_RR">Gain of ring b on ring a at [a,b].</param>
/// <param name="Row">1 + tanh m₁ [..,R]; null = 1.</param>
/// <param name="Alpha">Frustration α′ [..,R].</param>
/// <param name="Gain">Pull of the centre G′ [..,R].</param>
/// <param name="Centre">Phase of the centre at this step [1].</param>
internal sealed record Coupling(Tensor K_RR, Tensor? Row, Tensor Alpha, Tensor Gain, Tensor Centre);

/// <summary>
/// Kuramoto's coupling with frustration and a rotating centre (Sakaguchi &amp; Kuramoto 1986), in three equal forms:
/// Σ_b K_ab·mean_{j∈b} sin(θ_j − θ_i − α_a) + G_a·sin(Ψ − θ_i).
/// </summary>
internal static class Kuramoto
{
    /// <summary>Every pair of oscillators, O(N²): the truth.</summary>
    internal static Tensor Pairwise(Tensor theta_BTN, Coupling coupling, RingLayout rings)
    {
        var alpha_BTN = coupling.Alpha.matmul(rings.Spread_RN);
        var difference_BTNN = theta_BTN.unsqueeze(-2) - theta_BTN.unsqueeze(-1) - alpha_BTN.unsqueeze(-1);
        var gain_NN = rings.Spread_RN.transpose(0, 1).matmul(coupling.K_RR).matmul(rings.Means_NR.transpose(0, 1));
        var pull_BTN = (difference_BTNN.sin() * gain_NN).sum(-1);
        return Rowed(pull_BTN, coupling, rings) + Centre(theta_BTN, coupling, rings);
    }

    /// <summary>Through each ring's mean z_b = ⟨e^{iθ}⟩, O(N·R), as the equation is written.</summary>
    internal static Tensor MeanField(Tensor theta_BTN, Coupling coupling, RingLayout rings)
    {
        var field_re = theta_BTN.cos().matmul(rings.Means_NR).matmul(coupling.K_RR.transpose(0, 1)).matmul(rings.Spread_RN);
        var field_im = theta_BTN.sin().matmul(rings.Means_NR).matmul(coupling.K_RR.transpose(0, 1)).matmul(rings.Spread_RN);
        var shifted_BTN = theta_BTN + coupling.Alpha.matmul(rings.Spread_RN);
        var pull_BTN = (field_im * shifted_BTN.cos()) - (field_re * shifted_BTN.sin());
        return Rowed(pull_BTN, coupling, rings) + Centre(theta_BTN, coupling, rings);
    }

    /// <summary>
    /// The same from cosines, sines and means that the caller has: D_a = e^{−iα_a}·Σ_b K_ab z_b + G_a e^{iΨ} per ring, then
    /// Im D·cos θ − Re D·sin θ, so that a step costs one sine and one cosine an oscillator.
    /// </summary>
    internal static Tensor Fast(Tensor cos_BTN, Tensor sin_BTN, Tensor re_BTR, Tensor im_BTR, Coupling coupling, RingLayout rings)
    {
        var field_re = re_BTR.matmul(coupling.K_RR.transpose(0, 1));
        var field_im = im_BTR.matmul(coupling.K_RR.transpose(0, 1));
        if (coupling.Row is { } row)
        {
            (field_re, field_im) = (field_re * row, field_im * row);
        }

        var (cos, sin) = (coupling.Alpha.cos(), coupling.Alpha.sin());
        var drive_re = (field_re * cos) + (field_im * sin) + (coupling.Gain * coupling.Centre.cos());
        var drive_im = (field_im * cos) - (field_re * sin) + (coupling.Gain * coupling.Centre.sin());
        return (drive_im.matmul(rings.Spread_RN) * cos_BTN) - (drive_re.matmul(rings.Spread_RN) * sin_BTN);
    }

    /// <summary>K at the start: 1 within a ring, ¼ between neighbours, 0 beyond.</summary>
    internal static double[] StartingGain(int rings)
    {
        double[] gain = new double[rings * rings];
        for (int i = 0; i < gain.Length; i++)
        {
            gain[i] = Math.Abs((i / rings) - (i % rings)) switch { 0 => 1, 1 => 0.25, _ => 0 };
        }

        return gain;
    }

    private static Tensor Rowed(Tensor pull_BTN, Coupling coupling, RingLayout rings) =>
        coupling.Row is { } row ? pull_BTN * row.matmul(rings.Spread_RN) : pull_BTN;

    private static Tensor Centre(Tensor theta_BTN, Coupling coupling, RingLayout rings) =>
        coupling.Gain.matmul(rings.Spread_RN) * (coupling.Centre - theta_BTN).sin();
}
