using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>What moves one layer's N oscillators in R rings; the optional ones are an injected drive and the controllers' state.</summary>
public sealed record Oscillators(Tensor Theta_BTN, Tensor Omega_BTN, Tensor? Injection_BTN)
{
    public required Tensor K_RR { get; init; }
    public required Tensor Alpha_R { get; init; }
    public required Tensor CenterPhase { get; init; }
    public required Tensor CenterOmega { get; init; }
    public required Tensor CenterGain_R { get; init; }
    public Tensor? Decode_ROI { get; init; }
    public Tensor? Last_BTRF { get; init; }
    public Tensor? Fast_BTRFF { get; init; }
    public required Tensor Means_NR { get; init; }
    public required Tensor Spread_RN { get; init; }
    public required int Steps { get; init; }
    public required double Dt { get; init; }
}
