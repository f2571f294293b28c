using Hearth.Runs;

namespace Hearth.Models.Positronic;

/// <summary>Runs of Positronic as docs/families/positronic.md recommends them: Muon for matrices, Adam at two rates for the rest.</summary>
internal static class PositronicRecipe
{
    private const int Steps = 37_000;

    public static RunSpec Of(PositronicFamily family, string size)
    {
        var optimizer = new OptimizerSpec { Name = OptimizerKinds.Muon, MatrixLr = 0.02, Lr = 3e-3, EmbedLr = 6e-4, WarmupSteps = 500, WeightDecay = 0.05, GradClip = 1, Ema = 0.999, EmaSchedule = "warmup" };
        return size == Recipes.Nano
            ? Recipes.Of(
                family,
                size,
                new DataSpec { Dataset = "", SeqLen = Recipes.NanoLength, Tokenizer = TokenizerKinds.LengthMax },
                new TrainSpec { Steps = 200, BatchTokens = 1024 },

                // Orthogonalising costs a small model more than its products do.
                optimizer with { EmbedLr = 3e-3, WarmupSteps = 10, MuonIterations = 3, Ema = 0.99 })
            : Recipes.Of(
                family,
                size,
                new DataSpec { Dataset = "", SeqLen = 2048, Tokenizer = TokenizerKinds.LengthMax },
                new TrainSpec { Steps = Steps, BatchTokens = 1 << 17, LengthCurriculum = Recipes.Growing(Steps, (512, 0.2), (1024, 0.5), (2048, 1)) },
                optimizer);
    }
}
