using Hearth.Runs;

namespace Hearth.Models.Hybrid;

/// <summary>Runs of Hybrid as docs/families/hybrid.md recommends them: Muon, a warmdown to 0 with quantised weights at its end, an average that is exported.</summary>
internal static class HybridRecipe
{
    // The size's own 256 entries hold no tokenizer.
    private const int NanoVocabulary = 512;

    public static RunSpec Of(HybridFamily family, string size)
    {
        var optimizer = new OptimizerSpec
        {
            Name = OptimizerKinds.Muon,
            Lr = 0.03,
            EmbedLr = 0.035,
            VectorLr = 0.025,
            Schedule = "warmdown",
            WarmupSteps = 0,
            WeightDecay = 0.04,
            GradClip = 0.3,
            MuonMomentumStart = 0.92,
            MuonMomentum = 0.99,
            Ema = 0.997,

            // With the constant decay a short run's average is mostly its start.
            EmaSchedule = "warmup",
        };
        return size == Recipes.Nano
            ? Recipes.Of(
                family,
                size,
                new DataSpec { Dataset = "", SeqLen = Recipes.NanoLength, Tokenizer = TokenizerKinds.SentencePiece },
                new TrainSpec { Steps = 300, BatchTokens = 1024 },
                optimizer,
                ("vocab_size", NanoVocabulary))
            : Recipes.Of(
                family,
                size,
                new DataSpec { Dataset = "", SeqLen = 1024, Tokenizer = TokenizerKinds.SentencePiece },
                new TrainSpec { Steps = 20_000, BatchTokens = 1 << 19, Precision = "bf16" },
                optimizer);
    }
}
