using System.Numerics;

namespace Hearth.Models.Positronic;

/// <summary>
/// Locality-sensitive hashes of the last 1..n tokens (random hyperplanes: Charikar 2002), frozen: every token has a Gaussian code,
/// every bit is the sign of a Gaussian projection of the window's codes. All in fp64, the same on every machine.
/// </summary>
internal sealed class EngramCodes
{
    private const int CodeWidth = 32;
    private const ulong CodeSeed = 0x5EED0E46;
    private const ulong ProjectionSeed = 0x1A5B;
    private readonly int _orders;
    private readonly int _heads;
    private readonly int _bits;
    private readonly double[][] _projected;

    /// <param name="vocab">V.</param>
    /// <param name="orders">Longest window.</param>
    /// <param name="heads">Hashes per window length.</param>
    /// <param name="rows">Rows of a table, a power of two.</param>
    internal EngramCodes(int vocab, int orders, int heads, int rows)
    {
        (_orders, _heads, _bits, Rows) = (orders, heads, BitOperations.Log2((uint)rows), rows);
        double[][] codes = new double[vocab][];
        for (int id = 0; id < vocab; id++)
        {
            codes[id] = Gaussian(CodeSeed + (ulong)id, CodeWidth);
        }

        // What tap j adds to each bit, for every token: windows then only add.
        _projected = new double[orders * heads * orders][];
        foreach (var (n, h, j) in Taps())
        {
            _projected[Tap(n, h, j)] = Project(codes, Gaussian(ProjectionSeed + (64UL * (ulong)n) + (8UL * (ulong)h) + (ulong)j, _bits * CodeWidth));
        }
    }

    internal int Tables => _orders * _heads;

    internal int Rows { get; }

    /// <summary>
    /// Table rows of the last <paramref name="count"/> positions of a text, position by position: window length 1..n outer, hash
    /// inner. Taps before the text's start add nothing.
    /// </summary>
    internal void Rows_TK(ReadOnlySpan<long> ids, int count, Span<long> rows_TK)
    {
        Span<double> sums = stackalloc double[_bits];
        for (int t = ids.Length - count, at = 0; t < ids.Length; t++)
        {
            for (int n = 1; n <= _orders; n++)
            {
                for (int h = 1; h <= _heads; h++)
                {
                    sums.Clear();
                    for (int j = 0; j < n && j <= t; j++)
                    {
                        Add(sums, _projected[Tap(n, h, j)].AsSpan((int)ids[t - j] * _bits, _bits));
                    }

                    rows_TK[at++] = Row(sums);
                }
            }
        }
    }

    /// <summary>Standard normals in the order of Box &amp; Muller's pairs, drawn by SplitMix64 from a seed.</summary>
    internal static double[] Gaussian(ulong seed, int count)
    {
        var random = new SplitMix64(seed);
        double[] drawn = new double[count];
        for (int i = 0; i < count; i += 2)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextUniform()));
            double angle = 2 * Math.PI * random.NextUniform();
            drawn[i] = radius * Math.Cos(angle);
            if (i + 1 < count)
            {
                drawn[i + 1] = radius * Math.Sin(angle);
            }
        }

        return drawn;
    }

    private static void Add(Span<double> sums, ReadOnlySpan<double> part)
    {
        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] += part[i];
        }
    }

    private static long Row(ReadOnlySpan<double> sums)
    {
        long row = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            row |= sums[i] > 0 ? 1L << i : 0;
        }

        return row;
    }

    private IEnumerable<(int N, int H, int J)> Taps() =>
        from n in Enumerable.Range(1, _orders)
        from h in Enumerable.Range(1, _heads)
        from j in Enumerable.Range(0, n)
        select (n, h, j);

    private int Tap(int n, int h, int j) => ((((n - 1) * _heads) + h - 1) * _orders) + j;

    private double[] Project(double[][] codes, double[] projection)
    {
        double[] bits = new double[codes.Length * _bits];
        for (int id = 0; id < codes.Length; id++)
        {
            for (int i = 0; i < _bits; i++)
            {
                double sum = 0;
                for (int k = 0; k < CodeWidth; k++)
                {
                    sum += projection[(i * CodeWidth) + k] * codes[id][k];
                }

                bits[(id * _bits) + i] = sum;
            }
        }

        return bits;
    }
}
