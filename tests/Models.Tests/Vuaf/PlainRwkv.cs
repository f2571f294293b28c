namespace Hearth.Tests.Vuaf;

/// <summary>The RWKV-7 mixer of one row in plain numbers, equation by equation: what the tensor form is held against.</summary>
/// <param name="weight">A weight's values by its name, row-major.</param>
/// <param name="width">D.</param>
/// <param name="head">N; D/N heads.</param>
internal sealed class PlainRwkv(Func<string, double[]> weight, int width, int head)
{
    private const double NormEps = 1e-5;

    /// <summary>Outputs [T][D] for inputs [T][D], from a state of zeros.</summary>
    public double[][] Forward(double[][] x, bool sequence)
    {
        double[][] Stream(string name) => [.. x.Select((row, t) => Times(weight($"W_{name}.weight"), Shift(row, t > 0 ? x[t - 1] : new double[width], weight($"mix_{name}"))))];
        double[][] r = Stream("r"), k = Stream("k"), v = Stream("v"), kappa = Stream("kappa"), gate = Stream("g");
        double[][] decay = [.. x.Select(row => LowRank(row, "w"))], rate = [.. x.Select(row => LowRank(row, "a"))];
        double[][] y = [.. x.Select(_ => new double[width])];
        for (int h = 0; h < width / head; h++)
        {
            double[,] state = new double[head, head];
            for (int t = 0; t < x.Length; t++)
            {
                Advance(state, Head(k[t], h), Head(v[t], h), Unit(Head(kappa[t], h)), Head(decay[t], h), rate[t][h]);
                for (int j = 0; j < head; j++)
                {
                    y[t][(h * head) + j] = Enumerable.Range(0, head).Sum(i => state[i, j] * r[t][(h * head) + i]);
                }
            }
        }

        Normalise(y, sequence);
        double[] scale = weight("group_norm.weight"), shift = weight("group_norm.bias");
        return [.. y.Select((row, t) => Times(weight("out_proj.weight"), [.. row.Select((value, i) => ((value * scale[i]) + shift[i]) * Sigmoid(gate[t][i]))]))];
    }

    // S ← diag(w) S, then − (aκ̂)(κ̂ᵀ S), then + k vᵀ.
    private void Advance(double[,] state, double[] k, double[] v, double[] kappa, double[] w, double a)
    {
        for (int j = 0; j < head; j++)
        {
            for (int i = 0; i < head; i++)
            {
                state[i, j] *= w[i];
            }

            double read = Enumerable.Range(0, head).Sum(i => kappa[i] * state[i, j]);
            for (int i = 0; i < head; i++)
            {
                state[i, j] += (k[i] * v[j]) - (a * kappa[i] * read);
            }
        }
    }

    // Each head's channels at one position, or at all of them.
    private void Normalise(double[][] y, bool sequence)
    {
        for (int h = 0; h < width / head; h++)
        {
            foreach (int[] times in sequence ? [[.. Enumerable.Range(0, y.Length)]] : Enumerable.Range(0, y.Length).Select(t => new[] { t }))
            {
                var group = (from t in times from i in Enumerable.Range(h * head, head) select (t, i)).ToArray();
                double mean = group.Average(at => y[at.t][at.i]);
                double deviation = Math.Sqrt(group.Average(at => Math.Pow(y[at.t][at.i] - mean, 2)) + NormEps);
                foreach (var (t, i) in group)
                {
                    y[t][i] = (y[t][i] - mean) / deviation;
                }
            }
        }
    }

    private double[] LowRank(double[] x, string name)
    {
        double[] narrow = [.. Times(weight($"{name}_low_in.weight"), x).Select(Math.Tanh)];
        return [.. Times(weight($"{name}_low_out.weight"), narrow).Zip(weight($"{name}_low_out.bias"), (value, bias) => Sigmoid(value + bias))];
    }

    private static double[] Shift(double[] x, double[] before, double[] mix) => [.. x.Select((value, i) => value + ((before[i] - value) * (1 - mix[i])))];

    private static double[] Times(double[] matrix, double[] x) => [.. matrix.Chunk(x.Length).Select(row => row.Zip(x, (a, b) => a * b).Sum())];

    private double[] Head(double[] row, int h) => row[(h * head)..((h + 1) * head)];

    private static double[] Unit(double[] x)
    {
        double length = Math.Max(Math.Sqrt(x.Sum(v => v * v)), 1e-12);
        return [.. x.Select(v => v / length)];
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
