using static TorchSharp.torch;

// R rows, C columns.
namespace Hearth.Models.Hybrid;

/// <summary>
/// The 6-bit quantiser of training and artifact, in fp32 throughout: per row <c>s = fp16(κ·max(c/31, 1/31))</c> and
/// <c>q = clip(round(clip(W, −c, c)/s), −32, 31)</c>, both rounded half to even, q from the rounded s; decoded <c>s·q</c>.
/// </summary>
public static class Int6
{
    private const double Levels = 31;

    /// <summary>Codes int8 [R,C] and scales fp16 [R] of a matrix.</summary>
    /// <param name="weight_RC">fp32.</param>
    /// <param name="clip_R">c of each row, fp32.</param>
    /// <param name="kappa">Factor on the grid step.</param>
    public static (Tensor Codes_RC, Tensor Scales_R) Encode(Tensor weight_RC, Tensor clip_R, double kappa)
    {
        var scales_R = ((clip_R / Levels).clamp(min: (float)(1 / Levels)) * kappa).to(float16);
        return (Codes(weight_RC, clip_R, scales_R), scales_R);
    }

    /// <summary>Codes int8 [R,C] under given scales fp16 [R].</summary>
    public static Tensor Codes(Tensor weight_RC, Tensor clip_R, Tensor scales_R)
    {
        var clip_R1 = clip_R.unsqueeze(1);
        var clipped_RC = weight_RC.minimum(clip_R1).maximum(-clip_R1);
        return (clipped_RC / scales_R.to(float32).unsqueeze(1)).round().clamp(-32, 31).to(int8);
    }

    /// <summary>s·q in fp32.</summary>
    public static Tensor Decode(Tensor codes_RC, Tensor scales_R) => codes_RC.to(float32) * scales_R.to(float32).unsqueeze(1);

    /// <summary>
    /// The decoded weights with c = the row's greatest magnitude; the gradient passes straight through to the weight. Written as
    /// Q + (W − W) so that the value is Q's to the bit.
    /// </summary>
    public static Tensor StraightThrough(Tensor weight_RC, double kappa)
    {
        Tensor decoded_RC;
        using (no_grad())
        {
            var wide_RC = weight_RC.detach().to(float32);
            var (codes_RC, scales_R) = Encode(wide_RC, wide_RC.abs().amax([1]), kappa);
            decoded_RC = Decode(codes_RC, scales_R).to(weight_RC.dtype);
        }

        return decoded_RC + (weight_RC - weight_RC.detach());
    }
}
