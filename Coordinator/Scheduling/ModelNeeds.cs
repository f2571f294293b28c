using Hearth.Hardware;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling;

/// <summary>What a run takes, by the forecast of its model; after running out of memory, with fewer rows at a time.</summary>
public sealed record ModelNeeds : RunNeeds
{
    private readonly ModelPlan _plan;
    private readonly RunSpec _spec;

    public ModelNeeds(ModelPlan plan, RunSpec spec, int? microBatchLimit)
    {
        _plan = plan;
        bool lowered = microBatchLimit is { } limit && (spec.Train.MicroBatch == 0 || limit < spec.Train.MicroBatch);
        (_spec, Limit) = (lowered && spec.Train.MicroBatch > 0 ? spec with { Train = spec.Train with { MicroBatch = microBatchLimit!.Value } } : spec, microBatchLimit);
    }

    public int? Limit { get; }

    public override (bool Fits, int MicroBatch, long Bytes, string Reason) On(long deviceBytes, DeviceKind kind)
    {
        var fit = RunChecks.Fit(_plan, _spec, deviceBytes, kind);
        if (fit.Fits && Limit is { } limit && fit.MicroBatch > limit)
        {
            fit = RunChecks.Fit(_plan, _spec with { Train = _spec.Train with { MicroBatch = limit } }, deviceBytes, kind);
        }

        return (fit.Fits, fit.MicroBatch, fit.NeededBytes, fit.Reason);
    }

    public override string Remedy(long deviceBytes, DeviceKind kind) => RunChecks.Fit(_plan, _spec, deviceBytes, kind).Remedy;
}

/// <summary>A run whose model cannot be built here, and why.</summary>
public sealed record Unbuildable(string Why) : RunNeeds
{
    public override (bool Fits, int MicroBatch, long Bytes, string Reason) On(long deviceBytes, DeviceKind kind) => (false, 0, 0, Why);
}
