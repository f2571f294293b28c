using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Training.Exactness;

/// <summary>
/// 64 bits that stand for all bits of a tensor, made where it lies: each element's bits as an integer, times an odd number of its place
/// (SplitMix64's finaliser), added up modulo 2⁶⁴. Integers add to the same sum in any order, so a device may sum as it likes.
/// </summary>
public static class TensorDigest
{
    // Elements at a time: some hundred megabytes of integers on a device.
    private const long Piece = 1 << 22;

    /// <summary>Of a tensor of any type; waits for the device.</summary>
    public static ulong Of(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var bits_N = Operators.ViewAs(tensor.detach().contiguous(), SameWidth(tensor)).view(-1);
        ulong digest = 0;
        var places_N = Places(Math.Min(Piece, bits_N.numel()), tensor.device);
        for (long first = 0; first < bits_N.numel(); first += Piece)
        {
            using var piece = NewDisposeScope();
            long count = Math.Min(Piece, bits_N.numel() - first);
            long sum = (bits_N.narrow(0, first, count).to(int64) * places_N.narrow(0, 0, count)).sum().HostArray<long>()[0];
            digest = unchecked(SplitMix64.Mix(digest + (ulong)sum));
        }

        return digest;
    }

    // Arithmetic shifts smear the sign, which mixes as well.
    private static Tensor Places(long count, Device device)
    {
        var z_N = (arange(count, int64, device) + 1) * unchecked((long)SplitMix64.Gamma);
        z_N = z_N.bitwise_xor(z_N.bitwise_right_shift(tensor(30L, device: device))) * unchecked((long)0xbf58476d1ce4e5b9);
        z_N = z_N.bitwise_xor(z_N.bitwise_right_shift(tensor(27L, device: device))) * unchecked((long)0x94d049bb133111eb);
        return z_N.bitwise_or(tensor(1L, device: device));
    }

    private static ScalarType SameWidth(Tensor tensor) => tensor.ElementSize switch
    {
        8 => int64,
        4 => int32,
        2 => int16,
        _ => int8,
    };
}
