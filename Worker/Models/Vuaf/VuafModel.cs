using System.Globalization;
using Hearth.Kernels;
using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, D model width, V vocabulary, R loop steps, N = B·T rows.
namespace Hearth.Models.Vuaf;

/// <summary>A stack of layers applied R times with the same weights, read out and asked whether to stop after each.</summary>
public sealed class VuafModel : LanguageModel, IEarlyExit
{
    // Stage 2 (the idea is Ouro's gate-only stage): stop where the next step gains less than 0.005.
    private const double GainSharpness = 50, GainOffset = 0.25;

    // A step that fewer tokens than this leave at is warned of.
    private const double LeastMass = 0.01;
    private readonly VuafConfig _config;
    private readonly ScalarType _compute;
    private readonly RopeTables _rope;
    private readonly VuafLayer[] _layers;
    private readonly Tensor _embedding_VD;
    private readonly Tensor _finalNorm_D;
    private readonly Tensor _haltWeight_1D;
    private readonly Tensor _haltBias_1;

    internal VuafModel(VuafPlan plan, ScalarType dtype, Device device, long? seed, ScalarType compute)
        : base(plan, dtype, device, seed, compute)
    {
        _config = plan.Fields;
        _compute = compute;
        _rope = new RopeTables(dtype, device);
        var parts = new VuafParts(plan, Declared);
        (_layers, _embedding_VD, _finalNorm_D) = (parts.Layers, parts.Embedding_VD, parts.FinalNorm_D);
        (_haltWeight_1D, _haltBias_1) = (parts.HaltWeight_1D, parts.HaltBias_1);
        var steps = Enumerable.Range(1, _config.LoopSteps).ToArray();
        EvaluationTerms = [.. steps.Select(r => $"ce.{r}"), .. steps.Select(r => $"p.{r}")];
        Terms = [.. _config.HaltOnly ? (string[])["ce", "halt"] : ["ce", "kl", "aux"], .. EvaluationTerms];
    }

    /// <summary>Loop steps of training and of <see cref="Logits(Tensor)"/>.</summary>
    public int LoopSteps => _config.LoopSteps;

    internal bool SequenceNorm => _config.SequenceNorm;

    /// <summary>Expected cross entropy, halting and router terms, then CE_r and the mean p_r of each step, which weigh nothing.</summary>
    public override IReadOnlyList<string> Terms { get; }

    /// <summary>CE_r and the mean p_r of each step.</summary>
    public override IReadOnlyList<string> EvaluationTerms { get; }

    public override string? TrainingNotice => SequenceNorm
        ? "model.rwkv_norm is sequence: the norm runs over time, so the model sees the tokens that it is to predict, and its losses say little. token does not."
        : null;

    public override string? DecodingNotice => SequenceNorm
        ? "rwkv_norm is sequence, as in published checkpoints: logits depend on later tokens, so every new token runs the whole text again."
        : null;

    /// <summary>Loop steps that hardly any token reaches, and which therefore do not learn. With <c>halt_only</c> they are not meant to.</summary>
    public override IEnumerable<Concern> Concerns(IReadOnlyDictionary<string, double> means, TrainingStep at)
    {
        if (WarmStart(Choose(at)) || _config.HaltOnly)
        {
            yield break;
        }

        for (int r = 1; r <= LoopSteps; r++)
        {
            if (means.TryGetValue($"p.{r}", out double p) && p < LeastMass)
            {
                yield return new Concern($"p.{r}", string.Create(
                    CultureInfo.InvariantCulture,
                    $"Loop step {r} has {p:0.0000} of the halting mass, under {LeastMass}: it hardly learns. A larger model.entropy_reg_coef (now {_config.EntropyRegCoef}) keeps it alive."));
            }
        }
    }

    public override LossTotals Count(ReadOnlySpan<int> labels, int rowLength)
    {
        long targets = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            targets += labels[i] >= 0 && i % rowLength > 0 ? 1 : 0;
        }

        return new LossTotals([.. Terms.Select(name => name switch
        {
            "aux" => 1,
            "halt" => targets * (_config.LoopSteps - 1),
            _ => targets,
        })]);
    }

    /// <exception cref="ArgumentException">Rows of one token: there is nothing to predict.</exception>
    public override LossResult Loss(LossInput input)
    {
        long time = input.Labels_BT.size(1) - 1;
        if (time < 1)
        {
            throw new ArgumentException($"a row of {time + 1} token has no target. Allowed: at least 2.", nameof(input));
        }

        var ids_BT = input.Ids_BT.narrow(1, 0, time);
        var labels_N = input.Labels_BT.narrow(1, 1, time).reshape(-1);
        return _config.HaltOnly ? HaltLoss(ids_BT, labels_N, input.Totals) : LoopLoss(ids_BT, labels_N, input);
    }

    public override StepChoices Choose(TrainingStep step) => new VuafChoices(!_config.HaltOnly && step.Step < _config.HaltWarmStart * step.TotalSteps);

    public override Tensor Logits(Tensor ids_BT) => Logits(ids_BT, _config.LoopSteps);

    /// <summary>Logits [B,T,V] after so many loop steps, whatever the model was trained with.</summary>
    public Tensor Logits(Tensor ids_BT, int loops)
    {
        using var scope = NewDisposeScope();
        return Head(Loop(ids_BT, loops, null).Last()).MoveToOuterDisposeScope();
    }

    /// <summary>Of each loop step the logits [B,T,V] and, of all but the last, the halt logits [B,T].</summary>
    public IReadOnlyList<(Tensor Logits_BTV, Tensor? Halt_BT)> Steps(Tensor ids_BT, int loops) =>
        [.. Loop(ids_BT, loops, null).Select((n_BTD, i) => (Head(n_BTD), i < loops - 1 ? HaltLogits(n_BTD) : null))];

    /// <summary>Of each loop step, from 0 on, <c>logits.r</c> [B,T,V] and, of all but the last, <c>halt.r</c> [B,T].</summary>
    public override IEnumerable<(string Name, Tensor Value)> Outputs(Tensor ids_BT)
    {
        foreach (var (r, (logits_BTV, halt_BT)) in Steps(ids_BT, _config.LoopSteps).Index())
        {
            yield return ($"logits.{r}", logits_BTV);
            if (halt_BT is not null)
            {
                yield return ($"halt.{r}", halt_BT);
            }
        }
    }

    public override IDecodeSession StartDecode() => StartDecode(new ExitOptions());

    public IExitSession StartDecode(ExitOptions exit) => SequenceNorm ? new RecomputeSession(this, exit) : new ExitSession(this, exit);

    internal Tensor Embed(Tensor ids_BT) => Operators.Embedding(ids_BT, _embedding_VD);

    /// <summary>One pass over the stack, rows from position <paramref name="offset"/> on; the last <paramref name="read"/> of them come out.</summary>
    internal Tensor Stack(Tensor h_BTD, long offset, Past past, long read)
    {
        var context = Context(offset, null) with { Past = past };
        for (int i = 0; i < _layers.Length; i++)
        {
            h_BTD = _layers[i].Forward(h_BTD, context, i < _layers.Length - 1 ? h_BTD.size(1) : read);
        }

        return h_BTD;
    }

    internal Tensor Norm(Tensor h_BTD) => Functions.RmsNorm(h_BTD, _finalNorm_D, VuafLayer.NormEps);

    internal Tensor Head(Tensor n_BTD) => Functions.Linear(n_BTD, _embedding_VD, _compute);

    internal Tensor HaltLogits(Tensor n_BTD)
    {
        var halt = nn.functional.linear(n_BTD, _haltWeight_1D, _haltBias_1);
        return halt.select(halt.dim() - 1, 0);
    }

    // What each step reads out; the un-normed state goes on.
    internal IEnumerable<Tensor> Loop(Tensor ids_BT, int loops, List<Tensor>? balance, BlockTape? tape = null)
    {
        var h_BTD = Embed(ids_BT);
        for (int r = 0; r < loops; r++)
        {
            foreach (var layer in _layers)
            {
                Tensor[] all = (tape ?? BlockTape.Off).Run([h_BTD], inputs =>
                {
                    var own = new List<Tensor>();
                    return [layer.Forward(inputs[0], Context(0, own)), .. own];
                });
                h_BTD = all[0];
                balance?.AddRange(all[1..]);
            }

            yield return Norm(h_BTD);
        }
    }

    private ForwardContext Context(long offset, IList<Tensor>? balance) => new(offset, _compute, _rope) { Balance = balance };

    private static bool WarmStart(StepChoices? choices) => choices is VuafChoices { WarmStart: true };

    private LossResult LoopLoss(Tensor ids_BT, Tensor labels_N, LossInput input)
    {
        long targets = input.Totals.Counts[0];
        var head = new HeadLoss(_embedding_VD, _compute);
        bool warm = WarmStart(input.Choices);
        var halting = new HaltingLoss(_config, head, labels_N, targets, warm);
        var balance = new List<Tensor>();
        int step = 0;
        foreach (var n_BTD in Loop(ids_BT, _config.LoopSteps, balance, input.Tape))
        {
            step++;
            var n_ND = n_BTD.reshape(-1, _config.DModel);
            halting.Add(n_ND, step < _config.LoopSteps ? HaltLogits(n_ND) : null);
        }

        var kl = halting.Divergence;
        var aux = (balance.Count == 0 ? zeros([], Dtype, Device) : stack(balance).sum()) / (double)(_config.LoopSteps * input.Totals.MicroBatches);
        double pull = warm ? 0 : _config.EntropyRegCoef;
        var total = head.Total() + (kl * (pull / Math.Max(1, targets))) + (aux * _config.MoeLbLossCoef);
        return new LossResult(total, Results([(halting.Expected, 1), (kl.detach(), pull), (aux.detach(), _config.MoeLbLossCoef)], halting));
    }

    private LossResult HaltLoss(Tensor ids_BT, Tensor labels_N, LossTotals totals)
    {
        var states = new List<Tensor>();
        var losses = new List<Tensor>();
        HaltingLoss halting;
        using (no_grad())
        {
            halting = new HaltingLoss(_config, new HeadLoss(_embedding_VD, _compute), labels_N, totals.Counts[0], even: false);
            foreach (var n_BTD in Loop(ids_BT, _config.LoopSteps, null))
            {
                states.Add(n_BTD.reshape(-1, _config.DModel));
                losses.Add(halting.Add(states[^1], states.Count < _config.LoopSteps ? HaltLogits(states[^1]) : null));
            }
        }

        var sum = zeros([], Dtype, Device);
        for (int r = 0; r + 1 < losses.Count; r++)
        {
            var target_N = (((losses[r + 1] - losses[r]) * GainSharpness) + GainOffset).sigmoid();
            var halt_N = HaltLogits(states[r]);
            var bce_N = (target_N * nn.functional.logsigmoid(halt_N)) + (((target_N * -1.0) + 1) * nn.functional.logsigmoid(halt_N * -1.0));
            sum = sum - bce_N.masked_fill(labels_N.lt(0), 0).sum();
        }

        return new LossResult(sum / (double)Math.Max(1, totals.Counts[1]), Results([(halting.Expected, 0), (sum.detach(), 1)], halting));
    }

    // What the steps show weighs nothing.
    private LossTerm[] Results((Tensor Sum, double Weight)[] weighed, HaltingLoss halting) =>
        [.. weighed.Concat(halting.Steps.Select(sum => (sum, 0.0))).Select((term, i) => new LossTerm(Terms[i], term.Item1, term.Item2))];

    /// <param name="WarmStart">Every loop step counts alike, and the halt head rests.</param>
    private sealed record VuafChoices(bool WarmStart) : StepChoices;
}
