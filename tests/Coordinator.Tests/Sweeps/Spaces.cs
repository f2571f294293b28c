using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Sweeps.Rules;

namespace Hearth.Tests.Sweeps;

/// <summary>Functions whose best is known, and what sweeps over them need.</summary>
internal static class Spaces
{
    internal const int Seeds = 50;

    /// <summary>Two numbers (Branin).</summary>
    internal static SearchSpace Plane { get; } = new([Number("model.x", -5, 10), Number("model.y", 0, 15)]);

    /// <summary>
    /// Six fields, of which a setting has five: a rate, a batch and a decay, and one or two more, by rule. The least value is 0, under <c>muon</c>.
    /// </summary>
    internal static SearchSpace Six { get; } = new(
    [
        new Dimension { Path = "optimizer.name", Kind = DimensionKind.Choice, Choices = [Json("\"adamw\""), Json("\"muon\"")] },
        new Dimension { Path = "optimizer.lr", Kind = DimensionKind.Log, Min = 1e-5, Max = 1e-1 },
        new Dimension { Path = "model.width", Kind = DimensionKind.Integer, Min = 64, Max = 512, MultipleOf = 64 },
        Number("optimizer.weight_decay", 0, 0.4),
        Number("optimizer.beta2", 0.8, 0.999) with { When = [new Condition("optimizer.name", [Json("\"adamw\"")])] },
        Number("optimizer.muon_momentum", 0.5, 0.99) with { When = [new Condition("optimizer.name", [Json("\"muon\"")])] },
    ]);

    internal static double Branin(Setting at)
    {
        double x = at.Values[0]!.Value, y = at.Values[1]!.Value;
        double valley = y - (5.1 / (4 * Math.PI * Math.PI) * x * x) + (5 / Math.PI * x) - 6;
        return (valley * valley) + (10 * (1 - (1 / (8 * Math.PI))) * Math.Cos(x)) + 10;
    }

    internal static double Conditional(Setting at)
    {
        double Value(string path) => at.Values[Six.Dimensions.Index().First(d => d.Item.Path == path).Index]!.Value;
        bool muon = Value("optimizer.name") == 1;
        double rate = Math.Log10(Value("optimizer.lr")) - (muon ? -2 : -3.5), width = (Value("model.width") - 384) / 448, decay = (Value("optimizer.weight_decay") - 0.1) / 0.4;
        double own = muon ? (Value("optimizer.muon_momentum") - 0.95) / 0.49 : (Value("optimizer.beta2") - 0.95) / 0.199;
        return (rate * rate) + (width * width) + (2 * decay * decay) + (own * own) + (muon ? 0 : 0.5);
    }

    internal static JsonElement Json(string text) => JsonElement.Parse(text);

    internal static Dimension Number(string path, double min, double max) => new() { Path = path, Kind = DimensionKind.Number, Min = min, Max = max };
}
