using static TorchSharp.torch;

// N elements of a tensor whose first dimension is the micro-batch's rows.
namespace Hearth.Models;

/// <summary>
/// Dropout (Srivastava et al. 2014) without a generator: whether an element stays is a hash of the step's key, of the place where it is
/// drawn and of the element's index in the whole batch. The same bits on every device, for every cut of a batch into micro-batches, when a
/// block runs again, and in a recorded step, which reads the key as it reads the rows.
/// </summary>
/// <param name="key_2">The step's key and the micro-batch's first row, int64 on the device: <see cref="Key"/>.</param>
/// <param name="block">Of the model; each block draws with an object of its own.</param>
internal sealed class KeyedDropout(Tensor key_2, int block)
{
    private const long DrawsOfBlock = 64;
    private int _draws;

    /// <summary>The key of a step and the first row of a micro-batch, [2].</summary>
    internal static Tensor Key(TrainingStep step, Device device)
    {
        ulong key = unchecked((ulong)step.Seed + (0x9E3779B97F4A7C15 * ((ulong)step.Step + 1)));
        key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9;
        return stack([full([], (long)(key >> 32), int64, device), full([], step.FirstRow, int64, device)]);
    }

    /// <summary>x with a share of its elements 0 and the others so much larger that the mean stays.</summary>
    internal Tensor Apply(Tensor x, double share)
    {
        if (share == 0)
        {
            return x;
        }

        using var scope = NewDisposeScope();
        long count = x.numel(), place = (block * DrawsOfBlock) + _draws++;
        Tensor stays;
        using (no_grad())
        {
            var key = Hash.Mix(key_2.select(0, 0) + (place * 0x9E3779B1L));
            var index_N = arange(0, count, int64, x.device) + (key_2.select(0, 1) * (count / x.size(0)));
            var random_N = Hash.Mix(Hash.Mix(index_N.bitwise_xor(key)) + Hash.Shifted(index_N, 32));
            stays = (random_N.ge((long)Math.Round(share * (1L << 32))).to(x.dtype) * (1 / (1 - share))).view(x.shape);
        }

        return (x * stays).MoveToOuterDisposeScope();
    }
}

/// <summary>MurmurHash3's 32-bit finaliser (Appleby, 2008) on int64 tensors of values below 2³².</summary>
public static class Hash
{
    /// <summary>Of the lower 32 bits.</summary>
    public static Tensor Mix(Tensor x)
    {
        var word = full([], 0xFFFFFFFFL, int64, x.device);
        x = x.bitwise_and(word);
        x = (x.bitwise_xor(Shifted(x, 16)) * 0x85EBCA6BL).bitwise_and(word);
        x = (x.bitwise_xor(Shifted(x, 13)) * 0xC2B2AE35L).bitwise_and(word);
        return x.bitwise_xor(Shifted(x, 16));
    }

    /// <summary>x shifted to the right by so many bits.</summary>
    public static Tensor Shifted(Tensor x, int bits) => x.bitwise_right_shift(full([], bits, int64, x.device));
}
