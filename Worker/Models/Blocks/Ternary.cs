using static TorchSharp.torch;

// O outputs, I inputs, Q bytes of a packed row.
namespace Hearth.Models.Blocks;

/// <summary>
/// Ternary weights with straight-through gradients (BitNet b1.58, arXiv 2402.17764): W_q = γ·clip(round(W/(γ+1e−5)), −1, 1) with
/// γ = mean|W|, inputs as 8-bit codes per token. Whole codes are multiplied and scaled afterwards: their sums stay below 2²⁴, so
/// fp32 gives the same bits in any order.
/// </summary>
public static class Ternary
{
    private const double WeightEps = 1e-5;
    private const double InputEps = 1e-5;
    private const double LargestCode = 127;

    // A matrix of zeros has γ = 0, and still a gradient.
    private const double LeastScale = 1e-30;

    /// <summary>act_quant(x / rms(x)) W_qᵀ, in at least fp32; the gradients are those of x W_qᵀ and of the dense W.</summary>
    /// <param name="x">Inputs [..., I].</param>
    /// <param name="weight_OI">Latent weights.</param>
    /// <param name="eps">Of the norm without weight.</param>
    /// <param name="quantizeInputs">False leaves the normed inputs as they are.</param>
    /// <param name="compute">Type of the product; whole codes are exact in bf16 too.</param>
    public static Tensor Linear(Tensor x, Tensor weight_OI, double eps, bool quantizeInputs, ScalarType compute)
    {
        var (codes_OI, scale) = Codes(weight_OI);
        var wide = codes_OI.dtype;
        if (is_grad_enabled())
        {
            codes_OI = codes_OI + ((weight_OI - weight_OI.detach()) / scale);
        }

        var normed = Functions.RmsNorm(x, eps).to(wide);
        if (!quantizeInputs)
        {
            return Functions.Linear(normed, codes_OI, compute == weight_OI.dtype ? wide : compute).to(wide) * scale;
        }

        var (inputs, steps) = Codes8(normed);
        return Functions.Linear(inputs, codes_OI, compute == weight_OI.dtype ? wide : compute).to(wide) * (scale / steps);
    }

    /// <summary>Codes −1, 0, 1 in the weights' type, and γ [].</summary>
    public static (Tensor Codes_OI, Tensor Scale) Codes(Tensor weight_OI)
    {
        var still_OI = weight_OI.detach();
        var scale = still_OI.abs().mean();
        return ((still_OI / (scale + WeightEps)).round().clamp(-1, 1), scale.clamp(min: LeastScale));
    }

    /// <summary>Whole codes within ±127 that pass gradients straight through, and the factor 127/max|x| of each token.</summary>
    internal static (Tensor Codes, Tensor Steps) Codes8(Tensor x)
    {
        var still = x.detach();
        var steps = full([], LargestCode, x.dtype, x.device) / still.abs().amax([-1], true).clamp(min: InputEps);
        var codes = (still * steps).round();
        return (is_grad_enabled() ? codes + ((x - still) * steps) : codes, steps);
    }
}

/// <summary>A ternary matrix at 2 bits a weight, for inference.</summary>
/// <param name="Bytes_OQ">Four codes a byte, lowest bits first, each plus 1; uint8.</param>
/// <param name="Scale">γ [].</param>
/// <param name="Columns">I.</param>
public sealed record TernaryMatrix(Tensor Bytes_OQ, Tensor Scale, long Columns)
{
    private const int CodesPerByte = 4;

    public static TernaryMatrix Pack(Tensor weight_OI)
    {
        using var quiet = no_grad();
        var (codes_OI, scale) = Ternary.Codes(weight_OI);
        long rows = codes_OI.size(0), columns = codes_OI.size(1), missing = (CodesPerByte - (columns % CodesPerByte)) % CodesPerByte;
        var padded = cat([codes_OI + 1, zeros([rows, missing], codes_OI.dtype, codes_OI.device)], 1);
        var places = tensor(new double[] { 1, 4, 16, 64 }).to(codes_OI.dtype).to(codes_OI.device);
        return new TernaryMatrix((padded.view(rows, -1, CodesPerByte) * places).sum(-1).to(uint8), scale, columns);
    }

    /// <summary>Codes −1, 0, 1 [O,I] in the scale's type.</summary>
    public Tensor Unpack()
    {
        double[] table = [.. Enumerable.Range(0, 256).SelectMany(b => Enumerable.Range(0, CodesPerByte).Select(i => ((b >> (2 * i)) & 3) - 1.0))];
        var codes = tensor(table, [256, CodesPerByte]).to(Scale.dtype).to(Scale.device).index_select(0, Bytes_OQ.flatten().to(int64));
        return codes.view(Bytes_OQ.size(0), -1).narrow(1, 0, Columns);
    }

    /// <summary>What <see cref="Ternary.Linear"/> gives on the matrix that was packed.</summary>
    public Tensor Linear(Tensor x, double eps)
    {
        using var quiet = no_grad();
        var (inputs, steps) = Ternary.Codes8(Functions.RmsNorm(x, eps).to(Scale.dtype));
        return nn.functional.linear(inputs, Unpack()) * (Scale / steps);
    }
}
