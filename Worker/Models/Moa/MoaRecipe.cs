using Hearth.Runs;

namespace Hearth.Models.Moa;

/// <summary>Runs of MoA-Metric as docs/families/moa.md recommends them: small batches, fp32.</summary>
internal static class MoaRecipe
{
    public static RunSpec Of(MoaFamily family, string size)
    {
        bool small = size == Recipes.Nano;
        var optimizer = new OptimizerSpec { Lr = small ? 3e-3 : 5e-4, WarmupSteps = small ? 15 : 100, WeightDecay = 0.01, GradClip = 1 };
        return Recipes.Of(
            family,
            size,
            new DataSpec { Dataset = "", SeqLen = small ? Recipes.NanoLength : 1024 },
            new TrainSpec { Steps = small ? 250 : 100_000, BatchTokens = small ? 1024 : 2048 },
            optimizer);
    }
}
