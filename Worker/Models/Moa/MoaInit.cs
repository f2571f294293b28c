namespace Hearth.Models.Moa;

/// <summary>
/// How matrices start. Only the large ones of the paths and of HyperFFN are of the group matrix and decay: routers, gates, distances,
/// frequencies, taps, norms, scales and biases never do, nor does the tied embedding.
/// </summary>
internal static class MoaInit
{
    private const double Std = 0.02;

    internal static Init Matrix => Init.Normal(Std);

    internal static Init Taps => Init.FirstTap(Std);

    /// <summary>What writes into the residual stream starts smaller, so that the stream's variance does not grow with depth.</summary>
    internal static Init Residual(MoaConfig config) => Init.Normal(Std / Math.Sqrt(2.0 * config.NumLayers));

    /// <summary>The stored value x of a parameter read as softplus(x) that is to start at y.</summary>
    internal static double InverseSoftplus(double y) => y + Math.Log(1 - Math.Exp(-y));
}
