using Hearth.Runs;

namespace Hearth.Models.Vuaf;

/// <summary>Runs of VUAF as docs/families/vuaf.md recommends them; none is published with the model.</summary>
internal static class VuafRecipe
{
    // The runtime's 0.01 lets the halting distribution collapse to its first step.
    private static readonly (string Field, object Value) Entropy = ("entropy_reg_coef", 0.05);

    public static RunSpec Of(VuafFamily family, string size) => size switch
    {
        Recipes.Nano => Nano(family),
        "femto" => Large(family, size, lr: 3e-3, steps: 8_000),
        "pico" => Large(family, size, lr: 2e-3, steps: 8_000),
        _ => Large(family, size, lr: 1e-3, steps: 16_000),
    };

    private static RunSpec Large(VuafFamily family, string size, double lr, int steps) => Recipes.Of(
        family,
        size,
        new DataSpec { Dataset = "", SeqLen = 512, Tokenizer = TokenizerKinds.SentencePiece },
        new TrainSpec { Steps = steps, BatchTokens = 1 << 16, LengthCurriculum = Recipes.Growing(steps, (128, 0.1), (256, 0.3), (512, 1)) },
        new OptimizerSpec { Lr = lr, WarmupSteps = steps / 50, WeightDecay = 0.1, GradClip = 1 },
        Entropy);

    // Some hundred steps: the normed residual stream lets AdamW learn little more than how frequent tokens are in them; Muon and long
    // memories from the start do not wait (docs/LOG.md).
    private static RunSpec Nano(VuafFamily family) => Recipes.Of(
        family,
        Recipes.Nano,
        new DataSpec { Dataset = "", SeqLen = Recipes.NanoLength, Tokenizer = TokenizerKinds.SentencePiece },
        new TrainSpec { Steps = 400, BatchTokens = 1024 },
        new OptimizerSpec { Name = OptimizerKinds.Muon, Lr = 0.01, WarmupSteps = 15, WeightDecay = 0.1, GradClip = 1 },
        Entropy,
        ("decay_init", "spread"));
}
