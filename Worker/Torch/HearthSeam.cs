using static TorchSharp.torch;

namespace Hearth.Torch;

/// <summary>The one file with what TorchSharp lacks: kernels of our own. A build against TorchSharp swaps it for the naive twins.</summary>
public static class HearthSeam
{
    /// <summary>Root-mean-square norm over the last dimension; null where only the naive form exists (other than fp32 and fp64 on the CPU).</summary>
    public static Tensor? RmsNorm(Tensor x_BTD, Tensor weight_D, double eps) =>
        x_BTD.device.index < 0 && x_BTD.dtype == weight_D.dtype && x_BTD.dtype is float32 or float64 ? Ops.RmsNorm.One(x_BTD, weight_D, eps) : null;

    /// <summary>One AdamW step over all tensors at once; false where only the naive form exists.</summary>
    public static bool AdamW(Tensor[] weights, Tensor[] grads, Tensor[] first, Tensor[] second, AdamWStep step)
    {
        if (weights.Length == 0)
        {
            return true;
        }

        if (weights[0].device.index >= 0 || weights[0].dtype is not (float32 or float64))
        {
            return false;
        }

        Ops.AdamW.Do(weights, grads, first, second, step.Lr, step.Beta1, step.Beta2, step.Eps, step.WeightDecay, step.Step, step.Scale);
        return true;
    }
}

/// <param name="Step">Counts from 1.</param>
/// <param name="Scale">Factor on every gradient first (clipping).</param>
public readonly record struct AdamWStep(double Lr, double Beta1, double Beta2, double Eps, double WeightDecay, long Step, double Scale);
