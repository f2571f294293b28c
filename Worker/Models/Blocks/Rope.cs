using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, H heads, T time, N head width, P = N/2 pairs.
namespace Hearth.Models.Blocks;

/// <summary>
/// Rotary positions (Su et al., arXiv 2104.09864): angles t·θ^(−2p/N) in fp64, cosines and sines kept in at least fp32.
/// One set of tables per model, by (width, θ).
/// </summary>
public sealed class RopeTables(ScalarType dtype, Device device)
{
    private readonly ScalarType _type = dtype == float64 ? float64 : float32;
    private readonly Dictionary<(long Width, double Theta), RowTables<(Tensor Cos_TP, Tensor Sin_TP)>> _tables = [];

    /// <summary>x [B,H,T,N] whose first row stands at <paramref name="offset"/>, turned; pairs are (p, p + N/2).</summary>
    public Tensor Turn(Tensor x_BHTN, double theta, long offset)
    {
        long width = x_BHTN.size(-1), time = x_BHTN.size(-2);
        var (cos, sin) = Table(width, theta, offset + time);
        var cos_TP = cos.narrow(0, offset, time);
        var sin_TP = sin.narrow(0, offset, time);
        if (FusedKernels.Rope(x_BHTN, cos_TP, sin_TP) is { } turned_BHTN)
        {
            return turned_BHTN;
        }

        return Turn(x_BHTN, cos_TP, sin_TP);
    }

    /// <summary>As above where each row of the batch has its own positions [B,T], all below <paramref name="limit"/>.</summary>
    public Tensor Turn(Tensor x_BHTN, double theta, Tensor positions_BT, long limit)
    {
        long width = x_BHTN.size(-1);
        var (cos, sin) = Table(width, theta, limit);
        Tensor Rows(Tensor table) => table.index_select(0, positions_BT.flatten()).view(positions_BT.size(0), 1, positions_BT.size(1), width / 2);
        return Turn(x_BHTN, Rows(cos), Rows(sin));
    }

    private static Tensor Turn(Tensor x_BHTN, Tensor cos, Tensor sin)
    {
        long half = x_BHTN.size(-1) / 2;
        var a = x_BHTN.narrow(-1, 0, half);
        var b = x_BHTN.narrow(-1, half, half);
        return cat([(a * cos) - (b * sin), (a * sin) + (b * cos)], -1).to(x_BHTN.dtype);
    }

    private (Tensor Cos, Tensor Sin) Table(long width, double theta, long rows)
    {
        if (!_tables.TryGetValue((width, theta), out var known))
        {
            known = new RowTables<(Tensor Cos_TP, Tensor Sin_TP)>(count => Make(width, theta, count));
            _tables.Add((width, theta), known);
        }

        return known.For(rows);
    }

    private (Tensor Cos_TP, Tensor Sin_TP) Make(long width, double theta, long rows)
    {
        using var scope = NewDisposeScope();
        var frequency_P = (arange(0, width / 2, float64) * (-2.0 / width * Math.Log(theta))).exp();
        var angle_TP = arange(0, rows, float64).unsqueeze(1) * frequency_P;
        return (Keep(angle_TP.cos()), Keep(angle_TP.sin()));
    }

    private Tensor Keep(Tensor table) => table.to(_type).to(device).DetachFromDisposeScope();
}
