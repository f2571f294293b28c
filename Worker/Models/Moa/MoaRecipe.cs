using Hearth.Runs;

namespace Hearth.Models.Moa;

/// <summary>Runs of MoA-Metric as docs/families/moa.md recommends them: fp32, 2,048 tokens a step in rows that grow. How long is not published.</summary>
internal static class MoaRecipe
{
    private const int Steps = 100_000;
    private static readonly OptimizerSpec Optimizer = new() { Lr = 5e-4, WarmupSteps = 100, WeightDecay = 0.01, GradClip = 1 };

    public static RunSpec Of(MoaFamily family, string size) => size == Recipes.Nano
        ? Recipes.Of(
            family,
            size,
            new DataSpec { Dataset = "", SeqLen = Recipes.NanoLength },
            new TrainSpec { Steps = 250, BatchTokens = 1024 },
            Optimizer with { Lr = 3e-3, WarmupSteps = 15 })
        : Recipes.Of(
            family,
            size,
            new DataSpec { Dataset = "", SeqLen = 2048 },
            new TrainSpec { Steps = Steps, BatchTokens = 2048, LengthCurriculum = Recipes.Growing(Steps, (256, 0.25), (512, 0.5), (1024, 0.75), (2048, 1)) },
            Optimizer);
}
