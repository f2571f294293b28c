using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>The parts of a spec that its forecast reads: runs of one kind need the same. What names or times a run is left out.</summary>
public static class ForecastKind
{
    /// <summary>As text: equal texts need the same.</summary>
    /// <param name="spec">The run, as it is trained.</param>
    /// <param name="microBatchLimit">Most rows of a micro-batch; null = as many as fit.</param>
    public static string Of(RunSpec spec, int? microBatchLimit)
    {
        var kind = spec with
        {
            Name = "",
            Task = "",
            StartFrom = "",
            Sft = new SftSpec(),
            Data = spec.Data with { Dataset = "", ValidationFraction = 0 },
            Train = spec.Train with { Steps = 0, Seed = 0 },
            Optimizer = spec.Optimizer with { Lr = 0, MatrixLr = 0, EmbedLr = 0, VectorLr = 0, WarmupSteps = 0, WeightDecay = 0 },
            Eval = new EvalSpec(),
            Sample = new SampleSpec(),
            Checkpoint = new CheckpointSpec(),
            Run = new PlacementSpec(),
        };
        return $"{microBatchLimit} {JsonSerializer.Serialize(kind, Json.Wire)}";
    }

    /// <summary>The kind whatever its rows, by which peaks are kept: 64 hex digits.</summary>
    public static string OfPeaks(RunSpec spec) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Of(spec with { Train = spec.Train with { MicroBatch = 0 } }, null))));
}
