using Hearth.Runs;

namespace Hearth.Models.Qovaryx;

/// <summary>Runs of Qovaryx as docs/families/qovaryx.md recommends them.</summary>
internal static class QovaryxRecipe
{
    public static RunSpec Of(QovaryxFamily family, string size)
    {
        var optimizer = new OptimizerSpec { Name = "adamw8bit", Lr = 2e-4, WarmupSteps = 500, WeightDecay = 0.1, GradClip = 1 };
        return size switch
        {
            Recipes.Nano => Recipes.Of(
                family,
                size,
                new DataSpec { Dataset = "", SeqLen = Recipes.NanoLength },
                new TrainSpec { Steps = 600, BatchTokens = 2048 },
                optimizer with { Lr = 3e-3, WarmupSteps = 20 }),

            // 1, 10 and 100 thousand million tokens.
            "50m" => Recipes.Of(family, size, Rows(2048), new TrainSpec { Steps = 30_000, BatchTokens = 4096 * 8, Precision = "bf16" }, optimizer),
            "350m" => Recipes.Of(family, size, Rows(4096), new TrainSpec { Steps = 76_000, BatchTokens = 8192 * 16, Precision = "bf16" }, optimizer),
            _ => Recipes.Of(
                family,
                size,
                Rows(4096),
                new TrainSpec { Steps = 763_000, BatchTokens = 8192 * 16, Precision = "bf16" },
                optimizer with { Lr = 1.5e-4 },
                ("ffn_kind", "routed_lowrank_swiglu")),
        };
    }

    private static DataSpec Rows(int length) => new() { Dataset = "", SeqLen = length };
}
