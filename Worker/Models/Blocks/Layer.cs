using static TorchSharp.torch;

// B batch, T time, D model width.
namespace Hearth.Models.Blocks;

/// <summary>What every forward pass hands to its blocks: where in the text it is, and how to multiply.</summary>
/// <param name="Offset">Position of the first row: tokens that came in earlier passes.</param>
/// <param name="Compute">Type of matrix products.</param>
public abstract record PassContext(long Offset, ScalarType Compute)
{
    /// <summary>The rows before the first.</summary>
    public Past Past { get; init; } = Past.None;
}

/// <summary>Of a model with rotary positions.</summary>
/// <param name="Rope">The model's tables.</param>
public record ForwardContext(long Offset, ScalarType Compute, RopeTables Rope) : PassContext(Offset, Compute)
{
    /// <summary>Where routed layers put their load-balance losses; null = nobody asks.</summary>
    public IList<Tensor>? Balance { get; init; }

    /// <summary>Where the rows of a batch differ in what they hold.</summary>
    public RowLayout? Layout { get; private init; }

    /// <summary>Additive mask [B,1,T,S] where causality alone is too little.</summary>
    public Tensor? Mask_B1TS { get; private init; }

    /// <summary>Where routers write what they chose; null = nobody reads it.</summary>
    public RouterTape? Routers { get; init; }

    private Tensor? Positions_BT { get; init; }

    /// <summary>The same over rows that are laid out so.</summary>
    public ForwardContext Over(RowLayout? layout, ScalarType dtype, Device device) => layout is null
        ? this
        : this with { Layout = layout, Positions_BT = layout.Positions(device), Mask_B1TS = layout.Mask(dtype, device) };

    /// <summary>x [B,H,T,N] turned to its rows' positions.</summary>
    public Tensor Turn(Tensor x_BHTN, double theta) =>
        Positions_BT is null ? Rope.Turn(x_BHTN, theta, Offset) : Rope.Turn(x_BHTN, theta, Positions_BT, Layout!.Limit);
}

/// <summary>A block that mixes over time: attention, a scan, a shift. The first of the two seams of a layer.</summary>
public abstract record MixerConfig
{
    /// <summary>The module, which declares its parameters.</summary>
    public abstract Mixer<ForwardContext> Build(Weights w);

    /// <summary>Multiply-adds per token, forward.</summary>
    public abstract double MultiplyAdds(int seqLen);

    /// <summary>Values kept per token for the backward pass.</summary>
    public abstract double Activations { get; }
}

public abstract class Mixer<TPass>
    where TPass : PassContext
{
    /// <summary>x [B,T,D], normed, to [B,T,D]; rows see themselves and those before.</summary>
    public abstract Tensor Forward(Tensor x_BTD, TPass pass);
}

/// <summary>A block that mixes over channels, token by token. The second seam of a layer.</summary>
public abstract record FeedForwardConfig
{
    /// <summary>The module, which declares its parameters.</summary>
    public abstract FeedForward Build(Weights w);

    public abstract double MultiplyAdds { get; }

    public abstract double Activations { get; }
}

public abstract class FeedForward
{
    public abstract Tensor Forward(Tensor x_BTD, ForwardContext context);
}

/// <summary>One residual layer: x ← x + mixer(norm x), x ← x + ffn(norm x).</summary>
public sealed record LayerConfig(int Dim, double NormEps, MixerConfig Mixer, FeedForwardConfig FeedForward)
{
    public Layer Build(Weights w) => new(this, w);

    public double MultiplyAdds(int seqLen) => Mixer.MultiplyAdds(seqLen) + FeedForward.MultiplyAdds;

    public double Activations => (4 * Dim) + Mixer.Activations + FeedForward.Activations;
}

public sealed class Layer(LayerConfig config, Weights w)
{
    private readonly Tensor _mixerNorm_D = w.Norm("attn_norm", config.Dim);
    private readonly Mixer<ForwardContext> _mixer = config.Mixer.Build(w);
    private readonly Tensor _ffnNorm_D = w.Norm("ffn_norm", config.Dim);
    private readonly FeedForward _ffn = config.FeedForward.Build(w.Under("ffn"));

    public Tensor Forward(Tensor x_BTD, ForwardContext context)
    {
        x_BTD = x_BTD + _mixer.Forward(Functions.RmsNorm(x_BTD, _mixerNorm_D, config.NormEps, context.Compute), context);
        return x_BTD + _ffn.Forward(Functions.RmsNorm(x_BTD, _ffnNorm_D, config.NormEps, context.Compute), context);
    }
}
