using Hearth.Kernels;
using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, H heads, K key heads (H, or 1 shared), T query rows, S keys, N head width, W width with more channels.
namespace Hearth.Models.Moa;

/// <summary>What one metric attention compares: all scaled and turned, in at least fp32.</summary>
/// <param name="Query_BHTN">Of unit length under the cosine metric.</param>
/// <param name="Key_BKSN">Of unit length under the cosine metric.</param>
/// <param name="Value_BKSN">Values.</param>
/// <param name="Alpha_H">Sharpness.</param>
/// <param name="Mask">Added to scores [B,H,T,S]; null with <paramref name="Causal"/>, or when a single row sees every key.</param>
/// <param name="Causal">Row t sees keys 0..t.</param>
/// <param name="Drop">What is done to the weights in training; null = nothing.</param>
internal sealed record MetricInputs(Tensor Query_BHTN, Tensor Key_BKSN, Tensor Value_BKSN, Tensor Alpha_H, Tensor? Mask, bool Causal, Func<Tensor, Tensor>? Drop);

/// <summary>
/// Attention by distance, softmax over −α‖q − k‖²/√N, or by angle, α√N·q̂·k̂. <see cref="Explicit"/> is the definition.
/// <see cref="Augmented"/> drops −α‖q‖², which is one number per row, and carries −‖k‖² in a further channel, so that any
/// kernel of dot-product attention computes it.
/// </summary>
internal static class MetricScores
{
    private const long ChannelMultiple = 8;

    internal static Tensor Explicit(MetricInputs x, bool cosine)
    {
        var scores_BHTS = Scores(x, cosine);
        var mask = x.Mask ?? (x.Causal ? CausalAttention.Mask(scores_BHTS.size(-2), scores_BHTS.size(-1), scores_BHTS) : null);
        var weights_BHTS = (mask is null ? scores_BHTS : scores_BHTS + mask).softmax(-1);
        return (x.Drop?.Invoke(weights_BHTS) ?? weights_BHTS).matmul(x.Value_BKSN);
    }

    /// <summary>Unmasked scores [B,H,T,S]; under a distance the difference is formed first.</summary>
    internal static Tensor Scores(MetricInputs x, bool cosine)
    {
        double root = Math.Sqrt(x.Query_BHTN.size(-1));
        var alpha_H11 = x.Alpha_H.view(-1, 1, 1);
        if (cosine)
        {
            return x.Query_BHTN.matmul(x.Key_BKSN.transpose(-2, -1)) * (alpha_H11 * root);
        }

        var distance_BHTS = (x.Query_BHTN.unsqueeze(-2) - x.Key_BKSN.unsqueeze(-3)).pow(2).sum(-1);
        return distance_BHTS * (alpha_H11 / -root);
    }

    internal static Tensor Augmented(MetricInputs x, bool cosine, ScalarType compute)
    {
        long width = x.Query_BHTN.size(-1), heads = x.Query_BHTN.size(1);
        bool narrow = compute == bfloat16;
        long channels = cosine ? width : width + (narrow ? 2 : 1);
        long padded = (channels + ChannelMultiple - 1) / ChannelMultiple * ChannelMultiple;

        // Scores are to be divided by √width: libtorch's attention divides by √padded, ours by nothing.
        bool own = x.Causal && x.Drop is null && FusedKernels.HasCausalAttention(x.Query_BHTN);
        double factor = Math.Sqrt((own ? 1.0 : padded) / width);
        var (query, key) = cosine
            ? ((x.Query_BHTN * (x.Alpha_H.view(-1, 1, 1) * (width * factor))).to(compute), x.Key_BKSN.to(compute))
            : narrow ? Narrow(x, factor) : Wide(x, factor);
        var value = x.Value_BKSN.to(compute);
        if (narrow && query.device.index < 0)
        {
            // A processor has no bf16 products with fp32 sums: products of rounded numbers in fp32 are the same.
            (query, key, value) = (query.to(float32), key.to(float32), value.to(float32));
        }

        if (own)
        {
            return FusedKernels.CausalAttention(query, Expand(key, heads), Expand(value, heads))!;
        }

        key = Expand(Pad(key, padded), heads);
        value = Expand(Pad(value, padded), heads);
        query = Pad(query, padded);
        return (x.Drop is null ? Attention.Of(query, key, value, x.Mask, x.Causal) : Dropped(query, key, value, x)).narrow(-1, 0, width);
    }

    // q̃ = [2αq, α], k̃ = [k, −‖k‖²]: α is on the query's side alone, so that keys may be shared by heads of different α.
    private static (Tensor Query, Tensor Key) Wide(MetricInputs x, double factor)
    {
        long[] column = x.Query_BHTN.shape;
        column[^1] = 1;
        var alpha_H11 = x.Alpha_H.view(-1, 1, 1) * factor;
        return (
            cat([x.Query_BHTN * (alpha_H11 * 2), alpha_H11.expand(column)], -1),
            cat([x.Key_BKSN, -x.Key_BKSN.pow(2).sum(-1, true)], -1));
    }

    // q̃ = [2αq, 1, 1], k̃ = [k, hi, lo]: every factor is in before rounding, and hi + lo carry −α‖k‖² of the rounded k
    // in twice bf16's digits.
    private static (Tensor Query, Tensor Key) Narrow(MetricInputs x, double factor)
    {
        long[] columns = x.Query_BHTN.shape, keyShape = x.Key_BKSN.shape;
        columns[^1] = 2;
        var alpha_H11 = x.Alpha_H.view(-1, 1, 1) * factor;
        var key_BKSN = x.Key_BKSN.to(bfloat16);
        var norm_BHS1 = key_BKSN.to(float32).pow(2).sum(-1, true) * -alpha_H11;
        var high_BHS1 = norm_BHS1.to(bfloat16);
        var low_BHS1 = (norm_BHS1 - high_BHS1.to(float32)).to(bfloat16);
        keyShape[1] = x.Query_BHTN.size(1);
        return (
            cat([(x.Query_BHTN * (alpha_H11 * 2)).to(bfloat16), ones(columns, bfloat16, key_BKSN.device)], -1),
            cat([key_BKSN.expand(keyShape), high_BHS1, low_BHS1], -1));
    }

    private static Tensor Pad(Tensor x, long width)
    {
        long[] rest = x.shape;
        rest[^1] = width - rest[^1];
        return rest[^1] == 0 ? x : cat([x, zeros(rest, x.dtype, x.device)], -1);
    }

    private static Tensor Expand(Tensor x_BKSW, long heads)
    {
        long[] shape = x_BKSW.shape;
        shape[1] = heads;
        return x_BKSW.size(1) == heads ? x_BKSW : x_BKSW.expand(shape);
    }

    // No kernel drops weights by numbers of ours, so they are written out, scores in at least fp32.
    private static Tensor Dropped(Tensor query, Tensor key, Tensor value, MetricInputs x)
    {
        var type = query.dtype == float64 ? float64 : float32;
        var scores_BHTS = query.to(type).matmul(key.to(type).transpose(-2, -1)) / Math.Sqrt(query.size(-1));
        var mask = x.Mask ?? (x.Causal ? CausalAttention.Mask(scores_BHTS.size(-2), scores_BHTS.size(-1), scores_BHTS) : null);
        var weights_BHTS = (mask is null ? scores_BHTS : scores_BHTS + mask).softmax(-1);
        return x.Drop!(weights_BHTS).to(value.dtype).matmul(value);
    }
}
