using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <param name="Step">Counts from 1.</param>
/// <param name="Scale">Factor on every gradient first (clipping).</param>
public readonly record struct AdamWStep(double Lr, double Beta1, double Beta2, double Eps, double WeightDecay, long Step, double Scale)
{
    /// <summary>Adam's older form of decay: wd·W joins the scaled gradient. 0 beside a <see cref="WeightDecay"/>.</summary>
    public double CoupledDecay { get; init; }
}

/// <summary>Parameters of one type with 8-bit moments, as lists of equal length.</summary>
/// <param name="Keys">Of each parameter's random numbers in this step; bf16 weights read it.</param>
public sealed record CodedParameters(Tensor[] Weights, Tensor[] Grads, CodedMoments First, CodedMoments Second, long[] Keys);

/// <summary>One of both moments of several parameters.</summary>
/// <param name="Codes">An unsigned byte an element.</param>
/// <param name="Scales">One a block, fp32.</param>
/// <param name="Map">Values and the middles between them, in the type of the arithmetic.</param>
public sealed record CodedMoments(Tensor[] Codes, Tensor[] Scales, Tensor[] Map);
