using Hearth.Models.Blocks;
using static TorchSharp.torch;

// T time, P pairs of a head, M Fourier terms.
namespace Hearth.Models.Moa;

/// <summary>Constants of BlackHoleRoPE that every layer shares, in at least fp32: base frequencies and both sine bases.</summary>
internal sealed class FourierTables
{
    private const long EnergyPeriod = 2048;
    private readonly int _terms;
    private readonly ScalarType _type;
    private readonly Device _device;
    private readonly RowTables<(Tensor Position_T, Tensor Sin_MT, Tensor Cos_MT)> _rows;

    internal FourierTables(int headDim, int terms, double theta, ScalarType dtype, Device device)
    {
        (_terms, _type, _device) = (terms, dtype == float64 ? float64 : float32, device);
        _rows = new RowTables<(Tensor Position_T, Tensor Sin_MT, Tensor Cos_MT)>(Make);
        int pairs = headDim / 2;
        Frequency_P = Keep([.. Enumerable.Range(0, pairs).Select(p => Math.Pow(theta, -2.0 * p / headDim))], pairs);

        // Term m of pair p stands at 2πmu, u = (p + ½)/P; counted in half turns, so that a cosine at a quarter is exactly 0.
        double[] halfTurns = [.. from m in Enumerable.Range(1, terms) from p in Enumerable.Range(0, pairs) select m * ((2.0 * p) + 1) / pairs];
        PairSin_MP = Keep(Array.ConvertAll(halfTurns, double.SinPi), terms, pairs);
        PairCos_MP = Keep(Array.ConvertAll(halfTurns, double.CosPi), terms, pairs);
    }

    /// <summary>θ^(−2p/N).</summary>
    internal Tensor Frequency_P { get; }

    internal Tensor PairSin_MP { get; }

    internal Tensor PairCos_MP { get; }

    /// <summary>Positions offset..offset+time−1 and the energy's sines and cosines of 2πmt/2048 there.</summary>
    internal (Tensor Position_T, Tensor Sin_MT, Tensor Cos_MT) Rows(long offset, long time)
    {
        var rows = _rows.For(offset + time);
        return (rows.Position_T.narrow(0, offset, time), rows.Sin_MT.narrow(1, offset, time), rows.Cos_MT.narrow(1, offset, time));
    }

    // Whole turns are dropped before the sine, so the phase is exact for every position.
    private (Tensor Position_T, Tensor Sin_MT, Tensor Cos_MT) Make(long capacity)
    {
        double[] positions = new double[capacity], sines = new double[_terms * capacity], cosines = new double[_terms * capacity];
        for (long t = 0; t < capacity; t++)
        {
            positions[t] = t;
            for (long m = 1; m <= _terms; m++)
            {
                double halfTurns = 2.0 * (m * t % EnergyPeriod) / EnergyPeriod;
                sines[((m - 1) * capacity) + t] = double.SinPi(halfTurns);
                cosines[((m - 1) * capacity) + t] = double.CosPi(halfTurns);
            }
        }

        return (Keep(positions, capacity), Keep(sines, _terms, capacity), Keep(cosines, _terms, capacity));
    }

    private Tensor Keep(double[] values, params long[] shape)
    {
        using var scope = NewDisposeScope();
        return tensor(values, shape).to(_type).to(_device).DetachFromDisposeScope();
    }
}
