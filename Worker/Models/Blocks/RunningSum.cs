using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Models.Blocks;

/// <summary>Sums of all steps up to each.</summary>
internal static class RunningSum
{
    /// <summary>
    /// Along a dimension. libtorch's own has no exact form on CUDA: there, each round adds what lies twice as far back (Hillis and Steele,
    /// 1986), which takes log₂ of the steps.
    /// </summary>
    internal static Tensor Along(Tensor x, int dim)
    {
        if (x.device_type != DeviceType.CUDA)
        {
            return x.cumsum(dim);
        }

        return ByRounds(x, dim);
    }

    internal static Tensor ByRounds(Tensor x, int dim)
    {
        long steps = x.size(dim);
        for (long reach = 1; reach < steps; reach *= 2)
        {
            x = cat([x.narrow(dim, 0, reach), x.narrow(dim, reach, steps - reach) + x.narrow(dim, 0, steps - reach)], dim);
        }

        return x;
    }
}
