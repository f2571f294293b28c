using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Training.Parity;

/// <summary>A <c>train</c> recipe of a case: rates per group at a fixed factor, and whether weights are quantised throughout.</summary>
internal sealed record ParityRecipe(OptimizerSpec Optimizer, double Factor, bool Quantize)
{
    /// <summary>Null for an update rule that is not built.</summary>
    public static ParityRecipe? Read(JsonElement recipe)
    {
        string kind = recipe.GetProperty("kind").GetString()!;
        if (kind is not ("adamw" or "adamw8bit" or "muon+adam"))
        {
            return null;
        }

        bool rising = kind == "muon+adam";
        var rates = recipe.GetProperty("lr");
        var betas = recipe.GetProperty("betas");
        var spec = new OptimizerSpec
        {
            Name = rising || Text(recipe, "kind_of_matrix") == "muon" ? "muon" : kind,
            Lr = rates.ValueKind == JsonValueKind.Number ? rates.GetDouble() : rates.GetProperty("vector").GetDouble(),
            MatrixLr = Rate(rates, "matrix"),
            EmbedLr = Rate(rates, "embed"),
            Beta1 = betas[0].GetDouble(),
            Beta2 = betas[1].GetDouble(),
            Eps = recipe.GetProperty("eps").GetDouble(),
            WeightDecay = recipe.GetProperty("weight_decay").GetDouble(),
            GradClip = recipe.GetProperty("clip").GetDouble(),
            AdamDecay = Text(recipe, "adam_decay") ?? "decoupled",
        };
        if (rising)
        {
            spec = spec with { MuonMomentumStart = 0.92, MuonMomentum = 0.99, MuonMomentumSteps = 1500 };
        }

        return new ParityRecipe(spec, recipe.TryGetProperty("factor", out var factor) ? factor.GetDouble() : 1, Text(recipe, "qat") is not null);
    }

    private static string? Text(JsonElement recipe, string name) =>
        recipe.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static double Rate(JsonElement rates, string group) => rates.ValueKind == JsonValueKind.Object ? rates.GetProperty(group).GetDouble() : 0;
}
