using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Runs;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Contract;

/// <summary>
/// What every family keeps to at its size nano. A family is in by being in <see cref="Families.All"/>; what it cannot keep
/// stands in <see cref="Of"/> with the reason.
/// </summary>
internal sealed record FamilyContract(Family Family)
{
    /// <summary>Largest change of a logit by a later token, fp64. Bit-equal unless batch sizes depend on the tokens.</summary>
    public double Causality { get; init; }

    /// <summary>Largest difference between cached decoding, or a row alone, and the full forward, fp64.</summary>
    public double Decoding { get; init; } = 1e-10;

    /// <summary>False where the forward rounds, so that no difference quotient exists.</summary>
    public bool Differentiable { get; init; } = true;

    /// <summary>Of difference quotients along a unit direction.</summary>
    public double DifferenceStep { get; init; } = 2e-5;

    /// <summary>With which four rows are learnt by heart.</summary>
    public OptimizerSpec Recipe { get; init; } = new() { Lr = 3e-3, WarmupSteps = 20, WeightDecay = 0, Schedule = "constant" };

    public static TheoryData<string> Names() => [.. Families.All.Select(f => f.Name)];

    public static FamilyContract Of(string name)
    {
        var family = Families.Find(name)!;
        return name switch
        {
            // Its own recipe; AdamW alone is not how the family trains.
            "hybrid" => new(family)
            {
                Recipe = new OptimizerSpec { Name = "muon", MatrixLr = 0.03, EmbedLr = 0.035, VectorLr = 0.025, WeightDecay = 0.04, GradClip = 0.3, WarmupSteps = 0, Schedule = "constant" },
            },

            // A closed gate passes a gradient that is not the slope of its value, on purpose: nothing would open it otherwise.
            "positronic" => new(family) { Differentiable = false },

            // Dropless experts: another token changes how many rows an expert multiplies at once, and with it the rounding.
            // Loops multiply curvature: quotients need a shorter step.
            "vuaf" => new(family) { Causality = 1e-9, Decoding = 1e-9, DifferenceStep = 2e-6 },
            _ => new(family),
        };
    }

    public ModelPlan Plan(string size = "nano")
    {
        var errors = new List<FieldError>();
        return Family.Plan(size, new Dictionary<string, JsonElement>(), errors) ?? throw new InvalidOperationException(string.Join(" ", errors.Select(e => e.Message)));
    }

    public LanguageModel Build(ScalarType dtype, long seed = 3) => Plan().Build(dtype, CPU, seed);

    /// <summary>A model whose parts that start at zero are alive.</summary>
    public LanguageModel Awake(ScalarType dtype, long seed = 3) => Awake(Build(dtype, seed));

    /// <summary>The same of a model with fields of its own.</summary>
    public static LanguageModel Awake(LanguageModel model)
    {
        using var quiet = no_grad();
        foreach (var tensor in model.Plan.Tensors.Where(t => t.Init.Kind == InitKind.Zeros))
        {
            model.Weight(tensor.Name).normal_(0, 0.1);
        }

        return model;
    }

    public Tensor Ids(int rows, int length, int seed = 7) => Small.Ids(rows, length, Plan().VocabSize, seed);

    /// <summary>Training loss of a batch at a fixed step of a run.</summary>
    public static LossResult Loss(LanguageModel model, Tensor ids_BT, out LossTotals totals)
    {
        int[] labels = [.. ids_BT.HostArray<long>().Select(i => (int)i)];
        totals = model.Count(labels, (int)ids_BT.size(1));
        return model.Loss(model.Prepare(new LossInput(ids_BT, ids_BT, totals), new TrainingStep(3, 5, 100, 1, 0)));
    }
}
