using static TorchSharp.torch;

// N = B·T rows, D model width.
namespace Hearth.Models.Vuaf;

/// <summary>
/// The loss of a loop that may stop (PonderNet, arXiv 2107.05407; Ouro, arXiv 2510.25741): step r stops with probability
/// p_r = λ_r Π_{j&lt;r}(1−λ_j), the last with what is left; the loss is Σ_r p_r·CE_r, and p is pulled to a prior by KL(p‖q).
/// Each step's logits are gone before the next step's exist.
/// </summary>
/// <param name="config">Prior and number of steps.</param>
/// <param name="head">Gathers Σ p·CE over rows.</param>
/// <param name="labels_N">Targets, −100 = not counted.</param>
/// <param name="targets">Counted targets of the whole batch.</param>
/// <param name="even">Every step counts 1/R and the halt head gets no gradient: the warm start.</param>
internal sealed class HaltingLoss(VuafConfig config, HeadLoss head, Tensor labels_N, long targets, bool even)
{
    private readonly List<Tensor> _stepLosses = [];
    private readonly List<Tensor> _stepMasses = [];
    private Tensor? _logLeft_N;
    private Tensor? _expected;
    private Tensor? _kl_N;

    /// <summary>Adds loop step r = 1, 2, … R.</summary>
    /// <param name="rows_ND">The step's normed state.</param>
    /// <param name="halt_N">Its halt logits; null at the last step.</param>
    /// <returns>CE of each row, detached; 0 where it is not counted.</returns>
    public Tensor Add(Tensor rows_ND, Tensor? halt_N)
    {
        int step = _stepLosses.Count + 1;
        var logP_N = LogMass(rows_ND, halt_N);
        var p_N = logP_N.exp();
        var kl_N = p_N * (logP_N - LogPrior(step));
        var weight_N = even ? full([rows_ND.size(0)], 1.0 / config.LoopSteps, rows_ND.dtype, rows_ND.device) : p_N;
        var loss_N = head.AddRows(rows_ND, labels_N, weight_N / (double)Math.Max(1, targets));
        var expected = (weight_N.detach() * loss_N).sum();
        _expected = _expected is null ? expected : _expected + expected;
        _kl_N = _kl_N is null ? kl_N : _kl_N + kl_N;
        _stepLosses.Add(loss_N.sum());
        _stepMasses.Add(Counted(p_N.detach()).sum());
        return loss_N;
    }

    /// <summary>Sum over counted rows of Σ_r p_r·CE_r, detached.</summary>
    public Tensor Expected => _expected!;

    /// <summary>Sum over counted rows of KL(p‖q), with gradient.</summary>
    public Tensor Divergence => Counted(_kl_N!).sum();

    /// <summary>Sums of CE_r, then of p_r, over counted rows, step by step, detached.</summary>
    public IReadOnlyList<Tensor> Steps => [.. _stepLosses, .. _stepMasses];

    // log p_r from logsigmoids, exact even where λ is saturated.
    private Tensor LogMass(Tensor rows_ND, Tensor? halt_N)
    {
        var left_N = _logLeft_N ?? zeros([rows_ND.size(0)], rows_ND.dtype, rows_ND.device);
        if (halt_N is null)
        {
            return left_N;
        }

        halt_N = even ? halt_N.detach() : halt_N;
        _logLeft_N = left_N + nn.functional.logsigmoid(halt_N * -1.0);
        return left_N + nn.functional.logsigmoid(halt_N);
    }

    private double LogPrior(int step)
    {
        if (config.HaltPrior == "uniform")
        {
            return -Math.Log(config.LoopSteps);
        }

        double stay = (step - 1) * Math.Log(1 - config.HaltPriorRate);
        return step == config.LoopSteps ? stay : stay + Math.Log(config.HaltPriorRate);
    }

    private Tensor Counted(Tensor x_N) => x_N.masked_fill(labels_N.lt(0), 0);
}
