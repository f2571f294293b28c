using static TorchSharp.torch;

// B batch, I rows with an image, H height, W width, P tokens of an image, D model width, C channels between.
namespace Hearth.Models.Blocks;

/// <summary>
/// An image as tokens before the text: GELU(conv 8×8, stride 8), conv 2×2, stride 2, norm; one token per 16×16 pixels, row by row.
/// </summary>
public sealed record PatchEncoderConfig(int Dim, double NormEps)
{
    public const int Patch = 16;

    public PatchEncoder Build(Weights w) => new(this, w);
}

public sealed class PatchEncoder(PatchEncoderConfig config, Weights w)
{
    private const int Colours = 3;
    private const int Channels = 64;
    private const int FirstStride = 8;
    private const int SecondStride = 2;

    // Pixels in [0,1] become centred.
    private const double Middle = 0.5;

    private readonly Tensor _first = Kernel(w, "conv1.w", Channels, Colours, FirstStride);
    private readonly Tensor _firstBias = w.Vector("conv1.b", Init.Zeros, Channels);
    private readonly Tensor _second = Kernel(w, "conv2.w", config.Dim, Channels, SecondStride);
    private readonly Tensor _secondBias = w.Vector("conv2.b", Init.Zeros, config.Dim);
    private readonly Tensor _norm_D = w.Norm("norm", config.Dim);

    /// <summary>Tokens of one image of a batch [B,3,H,W].</summary>
    /// <exception cref="ArgumentException">A side that is no multiple of 16, or another shape.</exception>
    public int Tokens(Tensor image)
    {
        long[] shape = image.shape;
        bool fits = shape.Length == 4 && shape[1] == 3 && shape[2] % PatchEncoderConfig.Patch == 0 && shape[3] % PatchEncoderConfig.Patch == 0;
        return fits
            ? (int)(shape[2] / PatchEncoderConfig.Patch * (shape[3] / PatchEncoderConfig.Patch))
            : throw new ArgumentException($"image is [{string.Join(", ", shape)}]. Allowed: [rows, 3, height, width] with sides that are multiples of {PatchEncoderConfig.Patch}.", nameof(image));
    }

    /// <summary>Prefix [B,P,D]; zeros in rows without an image.</summary>
    /// <param name="extras">Images, and which rows have one.</param>
    /// <param name="tokens">P.</param>
    /// <param name="like_BTD">The text, for type and place.</param>
    public Tensor Forward(RowExtras extras, int tokens, Tensor like_BTD)
    {
        bool[] has = extras.HasImage(like_BTD.size(0));
        long[] rows = [.. Enumerable.Range(0, has.Length).Where(b => has[b]).Select(b => (long)b)];
        var prefix_IPD = Encode(extras.Image!.index_select(0, Index(rows, like_BTD)).to(_first.dtype));
        var none_1PD = zeros([1, tokens, config.Dim], prefix_IPD.dtype, prefix_IPD.device);
        long[] from = [.. has.Select((yes, b) => yes ? Array.IndexOf(rows, b) : rows.Length)];
        return cat([prefix_IPD, none_1PD]).index_select(0, Index(from, like_BTD));
    }

    private Tensor Encode(Tensor image_ICHW)
    {
        var wide = nn.functional.conv2d(image_ICHW - Middle, _first, _firstBias, [_first.size(-1), _first.size(-1)]).gelu();
        var x_IDHW = nn.functional.conv2d(wide, _second, _secondBias, [_second.size(-1), _second.size(-1)]);
        return Functions.RmsNorm(x_IDHW.flatten(2).transpose(1, 2).contiguous(), _norm_D, config.NormEps);
    }

    // Xavier's fans of a kernel are its channels times its area.
    private static Tensor Kernel(Weights w, string name, int output, int input, int size) =>
        w.Take(new TensorSpec(name, [output, input, size, size], ParameterGroup.Matrix, Init.Xavier(1.0 / size)));

    private static Tensor Index(long[] values, Tensor like) => tensor(values).to(like.device);
}
