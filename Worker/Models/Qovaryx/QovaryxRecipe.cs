using Hearth.Runs;

namespace Hearth.Models.Qovaryx;

/// <summary>Runs of Qovaryx as docs/families/qovaryx.md recommends them.</summary>
internal static class QovaryxRecipe
{
    private const int LongestRow = 4096;
    private static readonly LengthCurriculum Lengths = new(
        [new(512, 1_000), new(1024, 3_000), new(2048, 10_000), new(LongestRow, LengthCurriculum.Forever)]);

    private static readonly OptimizerSpec Optimizer = new() { Name = OptimizerKinds.AdamW8Bit, Lr = 2e-4, WarmupSteps = 500, WeightDecay = 0.1, GradClip = 1 };

    public static RunSpec Of(QovaryxFamily family, string size) => size switch
    {
        Recipes.Nano => Recipes.Of(
            family,
            size,
            new DataSpec { Dataset = "", SeqLen = Recipes.NanoLength },
            new TrainSpec { Steps = 600, BatchTokens = 2048 },
            Optimizer with { Lr = 3e-3, WarmupSteps = 20 }),

        // One, ten and a hundred thousand million tokens.
        "50m" => Large(family, size, steps: 30_000, batchTokens: 4096 * 8, Optimizer),
        "350m" => Large(family, size, steps: 76_000, batchTokens: 8192 * 16, Optimizer),
        _ => Large(family, size, steps: 763_000, batchTokens: 8192 * 16, Optimizer with { Lr = 1.5e-4 }, ("ffn_kind", "routed_lowrank_swiglu")),
    };

    private static RunSpec Large(QovaryxFamily family, string size, int steps, int batchTokens, OptimizerSpec optimizer, params (string Field, object Value)[] overrides) => Recipes.Of(
        family,
        size,
        new DataSpec { Dataset = "", SeqLen = LongestRow },
        new TrainSpec { Steps = steps, BatchTokens = batchTokens, Precision = "bf16", LengthCurriculum = Lengths },
        optimizer,
        overrides);
}
