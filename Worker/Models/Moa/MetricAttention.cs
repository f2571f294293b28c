using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T rows, S keys, D model width, H query heads, K key heads (H, or 1 shared), N head width, P = N/2 pairs.
namespace Hearth.Models.Moa;

/// <summary>
/// Attention by distance: path 1 with a key per head, path 3 with one key and value shared by all query heads. Scaled first,
/// then turned, so that a score is a true distance that depends on t − s alone. Under maha_diag every query head has its own
/// scale, also of a shared key; a shared key is then scaled and turned per head where it is used.
/// </summary>
internal sealed class MetricAttention(MoaConfig config, int keyHeads, Weights w)
{
    private readonly Tensor _q = w.Matrix("q", config.Dim, config.Dim, MoaInit.Matrix);
    private readonly Tensor _k = w.Matrix("k", keyHeads * config.HeadDim, config.Dim, MoaInit.Matrix);
    private readonly Tensor _v = w.Matrix("v", keyHeads * config.HeadDim, config.Dim, MoaInit.Matrix);
    private readonly Tensor _o = w.Matrix("o", config.Dim, config.Dim, MoaInit.Residual(config));
    private readonly Tensor _alpha_H = w.Vector("alpha", Init.Constant(MoaInit.InverseSoftplus(config.AlphaInit)), config.AttnHeads);
    private readonly Tensor _logScale_HN = w.Vector("log_scale", Init.Constant(Math.Log(config.MahaInit)), config.AttnHeads, config.HeadDim);
    private readonly Tensor _origin_HN = w.Vector("origin", Init.Constant(config.OriginInit), config.AttnHeads, config.HeadDim);
    private readonly Tensor _radius_H = w.Vector("radius", Init.Constant(MoaInit.InverseSoftplus(config.RadiusInit * Math.Sqrt(config.HeadDim / 8.0))), config.AttnHeads);

    private bool Cosine => config.Metric == MoaConfig.Cosine;

    private bool Scales => config.Metric == MoaConfig.MahaDiag;

    // A shared key has as many scaled forms as there are query heads, so later rows read it as it came.
    private bool ReadsRawKeys => Scales && keyHeads < config.AttnHeads;

    /// <param name="n_BTD">Normed rows.</param>
    /// <param name="discrepancy_BT">Null when it does not modulate the values.</param>
    /// <param name="rope">Of this path.</param>
    /// <param name="pass">Of this forward.</param>
    internal Tensor Forward(Tensor n_BTD, Tensor? discrepancy_BT, BlackHoleRope rope, MoaPass pass)
    {
        long batch = n_BTD.size(0), time = n_BTD.size(1);
        Tensor Project(Tensor matrix, int heads) => Functions.Linear(n_BTD, matrix, pass.Compute).view(batch, time, heads, config.HeadDim);
        var q_BTHN = Project(_q, config.AttnHeads);
        var k_BTKN = Project(_k, keyHeads);
        var scale_HN = Scales ? _logScale_HN.exp() : null;
        pass.Triangle?.Add(q_BTHN, k_BTKN, scale_HN);

        var turn = rope.Turn(pass.Tables, pass.Offset, time);
        var query_BHTN = BlackHoleRope.Rotate(Scaled(ByHead(q_BTHN), scale_HN), turn);
        var (key_BHSN, near_BHT) = Keys(ByHead(k_BTKN), scale_HN, rope, turn, pass);
        var value_BKTN = Wide(ByHead(Project(_v, keyHeads))) * rope.Energy(pass.Tables, pass.Offset, time, discrepancy_BT);
        var value_BKSN = pass.Past.Extend(this, "values", value_BKTN);

        var mask = Mask(near_BHT, query_BHTN, key_BHSN.size(2), pass);
        bool causal = mask is null && time > 1;
        var inputs = new MetricInputs(query_BHTN, key_BHSN, value_BKSN, nn.functional.softplus(_alpha_H), mask, causal, pass.Drops(config.AttnDropout));
        var mixed_BHTN = pass.Form == AttentionForm.Explicit ? MetricScores.Explicit(inputs, Cosine) : MetricScores.Augmented(inputs, Cosine, pass.Compute);
        var z_BTD = Functions.Linear(mixed_BHTN.transpose(1, 2).reshape(batch, time, config.Dim), _o, pass.Compute);
        return pass.Drops(config.ProjDropout)?.Invoke(z_BTD) ?? z_BTD;
    }

    // Scaled and turned keys of all rows so far, and by how much the new ones are inside their ball.
    private (Tensor Key_BHSN, Tensor? Near_BHT) Keys(
        Tensor k_BKTN, Tensor? scale_HN, BlackHoleRope rope, (Tensor Cos, Tensor Sin) turn, MoaPass pass)
    {
        var near_BHT = config.UseBalls ? Near(scale_HN is null ? Wide(k_BKTN) : Wide(k_BKTN) * scale_HN.unsqueeze(1)) : null;
        if (!ReadsRawKeys)
        {
            return (pass.Past.Extend(this, "keys", BlackHoleRope.Rotate(Scaled(k_BKTN, scale_HN), turn)), near_BHT);
        }

        var raw_BKSN = pass.Past.Extend(this, "keys", k_BKTN);
        turn = pass.Offset > 0 ? rope.Turn(pass.Tables, 0, raw_BKSN.size(2)) : turn;
        return (BlackHoleRope.Rotate(Scaled(raw_BKSN, scale_HN), turn), near_BHT);
    }

    private Tensor Scaled(Tensor x_BHTN, Tensor? scale_HN)
    {
        var wide = Wide(x_BHTN);
        return scale_HN is not null ? wide * scale_HN.unsqueeze(1)
            : Cosine ? wide * (wide.pow(2).sum(-1, true) + 1e-12).rsqrt()
            : wide;
    }

    // Radius less distance to the origin, of scaled unturned keys.
    private Tensor Near(Tensor key_BHTN)
    {
        var distance_BHT = ((key_BHTN - _origin_HN.unsqueeze(1)).pow(2).sum(-1) + 1e-6).sqrt();
        return nn.functional.softplus(_radius_H).unsqueeze(1) - distance_BHT;
    }

    /// <summary>
    /// −∞ for later keys and for keys outside their ball, never for a row's own. In training a kept pair adds a number whose
    /// value is 0 and whose gradient draws radius, origin and key together. Null where no row needs a written mask.
    /// </summary>
    private Tensor? Mask(Tensor? near_BHT, Tensor query_BHTN, long keys, MoaPass pass)
    {
        long time = query_BHTN.size(2);
        if (near_BHT is null)
        {
            return pass.Offset > 0 && time > 1 ? CausalAttention.Mask(time, keys, query_BHTN) : null;
        }

        var outside_BHT = near_BHT.lt(0);
        var outside_BHS = pass.Past.Extend(this, "outside", outside_BHT.unsqueeze(-1)).select(-1, 0);
        var causal_TS = CausalAttention.Mask(time, keys, near_BHT);
        var other_TS = ones([time, keys], near_BHT.dtype, near_BHT.device).triu(keys - time).tril(keys - time).eq(0);
        var mask_BHTS = causal_TS.masked_fill(outside_BHS.unsqueeze(2) * other_TS, double.NegativeInfinity);
        if (pass.Training is null)
        {
            return mask_BHTS;
        }

        var pull_BHT = -nn.functional.softplus(near_BHT / -0.1);
        return mask_BHTS + (pull_BHT - pull_BHT.detach()).unsqueeze(2);
    }

    private static Tensor ByHead(Tensor x_BTHN) => x_BTHN.transpose(1, 2);

    private static Tensor Wide(Tensor x) => x.dtype == float64 ? x : x.to(float32);
}
