using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, C channels, J taps.
namespace Hearth.Models.Moa;

/// <summary>Causal depthwise convolution y_t = Σ_j w_j ⊙ x_{t−j}, zeros before the text.</summary>
internal static class CausalConv
{
    /// <param name="x_BTC">Rows.</param>
    /// <param name="taps_CJ">Column j weighs the row j before.</param>
    /// <param name="before">The J−1 rows before the first; null at a text's start.</param>
    internal static Tensor Forward(Tensor x_BTC, Tensor taps_CJ, Tensor? before)
    {
        var padded = cat([before ?? zeros([x_BTC.size(0), taps_CJ.size(1) - 1, x_BTC.size(2)], x_BTC.dtype, x_BTC.device), x_BTC], 1);
        return FusedKernels.CausalConv(padded, taps_CJ) ?? Naive(padded, taps_CJ);
    }

    /// <summary>The same over rows that stand behind J−1 others: [B,T+J−1,C] to [B,T,C].</summary>
    internal static Tensor Naive(Tensor padded_BRC, Tensor taps_CJ)
    {
        long past = taps_CJ.size(1) - 1, time = padded_BRC.size(1) - past;
        var sum_BTC = padded_BRC.narrow(1, past, time) * taps_CJ.select(1, 0);
        for (long j = 1; j <= past; j++)
        {
            sum_BTC = sum_BTC + (padded_BRC.narrow(1, past - j, time) * taps_CJ.select(1, j));
        }

        return sum_BTC;
    }
}
