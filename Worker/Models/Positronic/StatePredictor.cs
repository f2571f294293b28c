using static TorchSharp.torch;

// B batch, T time, D model width.
namespace Hearth.Models.Positronic;

/// <summary>
/// Predicts a later state of the trunk instead of a token (after I-JEPA, arXiv 2301.08243): mean of 1 − cos(p_t, sg(h_{t+horizon})).
/// </summary>
internal sealed class StatePredictor(PositronicConfig config, Weights w)
{
    private const double LeastNorm = 1e-8;
    private readonly Tensor _norm_D = w.Norm("norm", config.DModel);
    private readonly Tensor _fc1 = w.Matrix("fc1", config.JepaDim, config.DModel, PositronicInit.Small);
    private readonly Tensor _fc2 = w.Matrix("fc2", config.DModel, config.JepaDim, PositronicInit.Small);

    /// <summary>The loss over every position that has a target, padding too; 0 where none has.</summary>
    internal Tensor Loss(Tensor hidden_BTD, ScalarType wide, ScalarType compute)
    {
        long rows = hidden_BTD.size(1) - config.JepaHorizon;
        if (rows < 1)
        {
            return zeros([], wide, hidden_BTD.device);
        }

        var target_BTD = hidden_BTD.narrow(1, config.JepaHorizon, rows).detach().to(wide);
        var normed_BTD = Functions.RmsNorm(hidden_BTD.narrow(1, 0, rows), _norm_D, config.NormEps);
        var guess_BTD = Functions.Linear(Functions.Linear(normed_BTD, _fc1, compute).gelu(), _fc2, compute).to(wide);
        var cosine_BT = (guess_BTD * target_BTD).sum(-1) / (Length(guess_BTD) * Length(target_BTD));
        return (cosine_BT * -1 + 1).mean();
    }

    private static Tensor Length(Tensor x_BTD) => x_BTD.pow(2).sum(-1).sqrt().clamp(min: LeastNorm);
}
