using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Positronic;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>Positronic models that tests share.</summary>
internal static class Nano
{
    /// <summary>The eight trait flags that the no-op contract covers.</summary>
    internal static readonly string[] Flags =
    [
        "use_rings", "use_ring_controllers", "use_ring_specialists", "use_hrm", "use_moe", "use_mtp", "use_jepa", "use_fractal_phase_seed",
    ];

    internal static ModelPlan Plan(object? overrides = null, string size = "nano") =>
        Families.Plan(Small.Model(overrides, size, "positronic"), []) ?? throw new InvalidOperationException("the plan has errors");

    /// <summary>A nano model as it starts: every gated trait shut.</summary>
    internal static PositronicModel Fresh(object? overrides = null, ScalarType dtype = ScalarType.Float64, long seed = 1) =>
        (PositronicModel)Plan(overrides).Build(dtype, CPU, seed);

    /// <summary>A nano model as if trained: gates open, nothing zero, memories that matter.</summary>
    internal static PositronicModel Open(object? overrides = null, ScalarType dtype = ScalarType.Float64, long seed = 1)
    {
        var model = Fresh(overrides, dtype, seed);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(seed + 100);
        foreach (var spec in model.Plan.Tensors)
        {
            var weight = model.Weight(spec.Name);
            string last = spec.Name.Split('.')[^1];
            bool trait = spec.Name.Contains(".slot", StringComparison.Ordinal) || last is "scale" or "fractal_gate";
            if (trait && last is "gate" or "scale" or "fractal_gate")
            {
                weight.uniform_(0.4, 0.9);
            }
            else if (last is "decode" && spec.Name.StartsWith("controller", StringComparison.Ordinal))
            {
                weight.normal_(0, 0.3);
            }
            else if (last is "write_gate" or "alpha" || spec.Name.StartsWith("mtp.", StringComparison.Ordinal) || last is "up" or "down")
            {
                weight.normal_(0, 0.15);
            }
            else if (last is "query" or "content" or "tables" or "tok_emb")
            {
                weight.normal_(0, 0.4);
            }
        }

        return model;
    }

    internal static Tensor Ids(int rows, int length, int seed = 7) => Small.Ids(rows, length, 512, seed);

    internal static double Changed(Tensor a, Tensor b) => Small.Difference(a, b);

    internal static (LossResult Loss, LossTotals Totals) Train(LanguageModel model, Tensor ids_BT)
    {
        int[] labels = Array.ConvertAll(ids_BT.HostArray<long>(), id => (int)id);
        var totals = model.Count(labels, (int)ids_BT.size(1));
        return (model.Loss(model.Prepare(new LossInput(ids_BT, ids_BT, totals), new TrainingStep(1, 0, 0, 1, 0))), totals);
    }

    internal static double GradNorm(LanguageModel model, string name) =>
        model.Weight(name).grad is { } grad ? Math.Sqrt(grad.pow(2).sum().Number()) : 0;

    internal static void Near(double expected, double actual, double tolerance) =>
        Assert.InRange(Math.Abs(expected - actual), 0, tolerance);
}
