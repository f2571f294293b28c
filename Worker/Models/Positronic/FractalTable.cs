using static TorchSharp.torch;

// V vocabulary, N oscillators.
namespace Hearth.Models.Positronic;

/// <summary>
/// Phases of each token's Mandelbrot orbit z ← z² + c, c spread over the set's region by Halton's sequence (Halton 1960). The
/// orbits are chaotic, so exactly these IEEE operations in this order, and no fused multiply-add, give the one table.
/// </summary>
internal static class FractalTable
{
    /// <summary>arg z after each of N steps, [V·N] row-major in fp32; 0 at z = 0.</summary>
    internal static float[] Make(int vocab, int oscillators)
    {
        float[] table = new float[vocab * oscillators];
        for (int id = 0; id < vocab; id++)
        {
            double cx = -2 + (2.5 * Halton(id + 1, 2)), cy = -1.25 + (2.5 * Halton(id + 1, 3));
            Orbit(cx, cy, table.AsSpan(id * oscillators, oscillators));
        }

        return table;
    }

    internal static Tensor Make(int vocab, int oscillators, ScalarType dtype, Device device)
    {
        using var scope = NewDisposeScope();
        return tensor(Make(vocab, oscillators), vocab, oscillators).to(dtype).to(device).DetachFromDisposeScope();
    }

    private static void Orbit(double cx, double cy, Span<float> angles)
    {
        double x = 0, y = 0;
        for (int n = 0; n < angles.Length; n++)
        {
            double xx = x * x, yy = y * y, difference = xx - yy, twice = 2 * x, product = twice * y;
            (x, y) = (difference + cx, product + cy);
            angles[n] = x == 0 && y == 0 ? 0 : (float)Math.Atan2(y, x);
            xx = x * x;
            yy = y * y;
            double r = Math.Sqrt(xx + yy);
            if (r > 2)
            {
                // Keeps the angle and starts again inside.
                double half = 2 * r;
                (x, y) = (x / half, y / half);
            }
        }
    }

    private static double Halton(long n, long b)
    {
        long reversed = 0, scale = 1;
        for (; n > 0; n /= b)
        {
            reversed = (reversed * b) + (n % b);
            scale *= b;
        }

        return (double)reversed / scale;
    }
}
