using static TorchSharp.torch;

// N matrices of one shape, R rows, C columns.
namespace Hearth.Training.Optim;

/// <summary>Orthogonalisation by matrix products alone.</summary>
public static class NewtonSchulz
{
    // Below this a direction is noise: an expert that no token reached must not be turned at random.
    private const double LeastNorm = 1e-12;

    /// <summary>
    /// The quintic Newton–Schulz iteration towards U Vᵀ of u = U S Vᵀ, for matrices [N,R,C] with R ≤ C; singular values end in
    /// about 0.7 to 1.15. A zero matrix stays zero.
    /// </summary>
    /// <param name="u_NRC">The directions.</param>
    /// <param name="iterations">Five do.</param>
    /// <param name="compute">Type of the products; that of <paramref name="u_NRC"/> when left out.</param>
    public static Tensor Orthogonalize(Tensor u_NRC, int iterations, ScalarType? compute = null)
    {
        const double a = 3.4445, b = -4.7750, c = 2.0315;
        using var scope = NewDisposeScope();
        var norm_N11 = u_NRC.flatten(1).pow(2).sum(1).sqrt().unsqueeze(-1).unsqueeze(-1);
        var x_NRC = (u_NRC / (norm_N11 + 1e-7)).to(compute ?? u_NRC.dtype);
        for (int i = 0; i < iterations; i++)
        {
            // Each iteration gives back what it made: five of them would hold twice as much as the optimizer keeps.
            using var iteration = NewDisposeScope();
            var gram_NRR = x_NRC.bmm(x_NRC.transpose(1, 2));
            var mix_NRR = (gram_NRR * b).add_(gram_NRR.bmm(gram_NRR), c);
            var next_NRC = (x_NRC * a).add_(mix_NRR.bmm(x_NRC)).MoveToOuterDisposeScope();
            x_NRC.Dispose();
            x_NRC = next_NRC;
        }

        return (x_NRC.to(u_NRC.dtype) * norm_N11.ge(LeastNorm).to(u_NRC.dtype)).MoveToOuterDisposeScope();
    }
}
