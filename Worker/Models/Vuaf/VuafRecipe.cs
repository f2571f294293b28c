using Hearth.Runs;

namespace Hearth.Models.Vuaf;

/// <summary>Runs of VUAF as docs/families/vuaf.md recommends them; none is published with the model.</summary>
internal static class VuafRecipe
{
    // The runtime's 0.01 lets the halting distribution collapse to its first step.
    private const double EntropyRegCoef = 0.05;

    public static RunSpec Of(VuafFamily family, string size)
    {
        var (lr, steps, warmup) = size switch
        {
            Recipes.Nano => (3e-3, 300, 15),
            "femto" => (3e-3, 8_000, 160),
            "pico" => (2e-3, 8_000, 160),
            _ => (1e-3, 16_000, 320),
        };
        bool small = size == Recipes.Nano;
        return Recipes.Of(
            family,
            size,
            new DataSpec { Dataset = "", SeqLen = small ? Recipes.NanoLength : 512, Tokenizer = TokenizerKinds.SentencePiece },
            new TrainSpec { Steps = steps, BatchTokens = small ? 1024 : 1 << 16 },
            new OptimizerSpec { Lr = lr, WarmupSteps = warmup, WeightDecay = 0.1, GradClip = 1 },
            ("entropy_reg_coef", EntropyRegCoef));
    }
}
