namespace Hearth.Models.Moa;

/// <summary>
/// Every parameter with its start. Only the large matrices of the paths and of HyperFFN are of the group matrix and decay:
/// routers, gates, distances, frequencies, taps, norms, scales and biases never do, nor does the tied embedding.
/// </summary>
internal static class MoaTensors
{
    private const double Std = 0.02;

    internal static IEnumerable<TensorSpec> List(MoaConfig c) =>
    [
        new TensorSpec("tok_emb", [c.VocabSize, c.Dim], ParameterGroup.Embed, Init.Normal(Std)),
        .. Enumerable.Range(0, c.NumLayers).SelectMany(i => Block(c, $"blocks.{i}")),
        TensorSpec.Norm("final_norm", c.Dim),
    ];

    /// <summary>The stored value x of a parameter read as softplus(x) that is to start at y.</summary>
    internal static double InverseSoftplus(double y) => y + Math.Log(1 - Math.Exp(-y));

    private static IEnumerable<TensorSpec> Block(MoaConfig c, string block)
    {
        long d = c.Dim;
        return
        [
            TensorSpec.Norm(block + ".norm1", d),
            TensorSpec.Norm(block + ".norm2", d),
            Vector(block + ".ls1", Init.Constant(c.LayerScaleInit), d),
            Vector(block + ".ls2", Init.Constant(c.LayerScaleInit), d),
            Vector(block + ".router.fc1", Init.Normal(Std), c.RouterHidden, d),
            Vector(block + ".router.b1", Init.Zeros, c.RouterHidden),
            Vector(block + ".router.fc2", Init.Zeros, MoaConfig.Paths, c.RouterHidden),
            Vector(block + ".router.b2", Init.Zeros, MoaConfig.Paths),
            Vector(block + ".router.bias_gate", Init.Zeros, MoaConfig.Paths, d),
            Vector(block + ".router.bias_scale", Init.Ones, 1),
            Vector(block + ".feat_gate.w", Init.Zeros, MoaConfig.Paths, d),
            Vector(block + ".feat_gate.b", Init.Zeros, MoaConfig.Paths),
            Matrix(block + ".conv.in", 2 * d, d),
            Vector(block + ".conv.dw", Init.FirstTap(Std), d, c.ConvKernel),
            Residual(c, block + ".conv.out", d, d),
            .. Attention(c, block + ".mh", c.AttnHeads, d),
            Matrix(block + ".mh.vp_gate", c.VprojHidden, d),
            Matrix(block + ".mh.vp_up", c.VprojHidden, d),
            TensorSpec.Matrix(block + ".mh.vp_down", d, c.VprojHidden, Init.Zeros),
            .. Rope(c, block + ".rope_global", c.AttnHeads),
            Matrix(block + ".mix.fc1", c.MixerHidden, d),
            Residual(c, block + ".mix.fc2", d, c.MixerHidden),
            .. Attention(c, block + ".mqa", c.MqaQHeads, c.HeadDim),
            .. Rope(c, block + ".rope_mqa", 1),
            .. HyperFfn(c, block + ".ffn"),
        ];
    }

    private static IEnumerable<TensorSpec> Attention(MoaConfig c, string path, long heads, long keyWidth)
    {
        double radius = c.RadiusInit * Math.Sqrt(c.HeadDim / 8.0);
        return
        [
            Matrix(path + ".q", c.Dim, c.Dim),
            Matrix(path + ".k", keyWidth, c.Dim),
            Matrix(path + ".v", keyWidth, c.Dim),
            Residual(c, path + ".o", c.Dim, c.Dim),
            Vector(path + ".alpha", Init.Constant(InverseSoftplus(c.AlphaInit)), heads),
            Vector(path + ".log_scale", Init.Constant(Math.Log(c.MahaInit)), heads, c.HeadDim),
            Vector(path + ".origin", Init.Constant(c.OriginInit), heads, c.HeadDim),
            Vector(path + ".radius", Init.Constant(InverseSoftplus(radius)), heads),
        ];
    }

    // The energy starts at exactly 1: sigmoid(bias) = (1 − min) / (max − min).
    private static IEnumerable<TensorSpec> Rope(MoaConfig c, string rope, long heads) =>
    [
        Vector(rope + ".freq_sin", Init.Zeros, heads, c.RBasis) with { LrScale = c.FreqLrMult },
        Vector(rope + ".freq_cos", Init.Zeros, heads, c.RBasis) with { LrScale = c.FreqLrMult },
        Vector(rope + ".en_sin", Init.Zeros, heads, c.RBasis),
        Vector(rope + ".en_cos", Init.Zeros, heads, c.RBasis),
        Vector(rope + ".en_bias", Init.Constant(Math.Log((1 - c.EnergyMin) / (c.EnergyMax - 1))), heads),
        Vector(rope + ".en_disc", Init.Zeros, heads),
    ];

    private static IEnumerable<TensorSpec> HyperFfn(MoaConfig c, string ffn) =>
    [
        Matrix(ffn + ".mlp.gate", c.FfnHidden, c.Dim),
        Matrix(ffn + ".mlp.up", c.FfnHidden, c.Dim),
        Residual(c, ffn + ".mlp.down", c.Dim, c.FfnHidden),
        Vector(ffn + ".sep.dw", Init.FirstTap(Std), c.Dim, c.ConvKernel),
        Residual(c, ffn + ".sep.pw", c.Dim, c.Dim),
        Matrix(ffn + ".lr.a", c.LrRank, c.Dim) with { MuonRows = [] },
        Matrix(ffn + ".lr.gate", c.LrRank, c.Dim) with { MuonRows = [] },
        Residual(c, ffn + ".lr.b", c.Dim, c.LrRank) with { MuonRows = [] },
        Vector(ffn + ".router.w", Init.Zeros, MoaConfig.Branches, c.Dim),
        Vector(ffn + ".router.b", Init.Zeros, MoaConfig.Branches),
    ];

    private static TensorSpec Matrix(string name, long rows, long columns) => TensorSpec.Matrix(name, rows, columns, Init.Normal(Std));

    // What writes into the residual stream starts smaller, so that the stream's variance does not grow with depth.
    private static TensorSpec Residual(MoaConfig c, string name, long rows, long columns) =>
        TensorSpec.Matrix(name, rows, columns, Init.Normal(Std / Math.Sqrt(2.0 * c.NumLayers)));

    private static TensorSpec Vector(string name, Init init, params long[] shape) => new(name, shape, ParameterGroup.Vector, init);
}
