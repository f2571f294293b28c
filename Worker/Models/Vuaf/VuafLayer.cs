using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, W rows that are read, D model width.
namespace Hearth.Models.Vuaf;

/// <summary>One layer: both mixers in a sandwich of norms, so that the residual stream itself is normed after every sublayer.</summary>
internal sealed record VuafLayerConfig(int Dim, VuafMixerConfig Mixer, FeedForwardConfig Channels)
{
    public double MultiplyAdds(int seqLen) => Mixer.MultiplyAdds(seqLen) + Channels.MultiplyAdds;

    public double Activations => (6 * Dim) + Mixer.Activations + Channels.Activations;
}

internal sealed class VuafLayer(VuafLayerConfig config, Weights w)
{
    internal const double NormEps = 1e-6;
    private readonly Tensor _mixerPre_D = w.Norm("token_mix.pre.weight", config.Dim);
    private readonly VuafMixer _mixer = config.Mixer.Build(w.Under("token_mix.module"));
    private readonly Tensor _mixerPost_D = w.Norm("token_mix.post.weight", config.Dim);
    private readonly Tensor _channelsPre_D = w.Norm("channel_mix.pre.weight", config.Dim);
    private readonly FeedForward _channels = config.Channels.Build(w.Under("channel_mix.module"));
    private readonly Tensor _channelsPost_D = w.Norm("channel_mix.post.weight", config.Dim);

    /// <summary>h ← norm(h + mixer(norm h)), then h ← norm(h + channels(norm h)).</summary>
    public Tensor Forward(Tensor h_BTD, ForwardContext context) => Forward(h_BTD, context, h_BTD.size(1));

    /// <summary>As the other, for the last <paramref name="read"/> rows: of those before only the mixer knows.</summary>
    public Tensor Forward(Tensor h_BTD, ForwardContext context, long read)
    {
        var mixed_BWD = _mixer.Forward(Functions.RmsNorm(h_BTD, _mixerPre_D, NormEps), context, read);
        var h_BWD = Functions.RmsNorm(VuafMixer.Last(h_BTD, read) + mixed_BWD, _mixerPost_D, NormEps);
        return Functions.RmsNorm(h_BWD + _channels.Forward(Functions.RmsNorm(h_BWD, _channelsPre_D, NormEps), context), _channelsPost_D, NormEps);
    }
}
