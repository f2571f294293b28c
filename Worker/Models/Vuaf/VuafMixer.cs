using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, W rows at the end that are read, D model width.
namespace Hearth.Models.Vuaf;

internal abstract record VuafMixerConfig : MixerConfig
{
    public abstract override VuafMixer Build(Weights w);
}

/// <summary>A mixer over time that can leave out the output of rows which nobody reads.</summary>
internal abstract class VuafMixer : Mixer<ForwardContext>
{
    public sealed override Tensor Forward(Tensor x_BTD, ForwardContext context) => Forward(x_BTD, context, x_BTD.size(1));

    /// <summary>x [B,T,D] to [B,W,D]: later rows see all of them, the last <paramref name="read"/> have an output.</summary>
    /// <param name="read">W, 1 to T.</param>
    public abstract Tensor Forward(Tensor x_BTD, ForwardContext context, long read);

    /// <summary>The last rows of x [B,T,…].</summary>
    internal static Tensor Last(Tensor x, long rows) => rows == x.size(1) ? x : x.narrow(1, x.size(1) - rows, rows);
}
