using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Training;

/// <summary>What becomes of a run that goes on under something else than its checkpoint was written under.</summary>
public enum ResumeEffect
{
    /// <summary>Steps read other rows.</summary>
    Rows,

    /// <summary>Steps have another rate, rule or weight.</summary>
    Course,

    /// <summary>The same arithmetic, in another order or by other kernels.</summary>
    Bits,
}

/// <summary>One thing that decides the next step and is not as it was.</summary>
/// <param name="Field">A field of the run spec, or of <see cref="TrainState"/>.</param>
public sealed record ResumeDifference(string Field, string Then, string Now, ResumeEffect Effect)
{
    // A micro-batch is compared as it was chosen, precision as it ran, and another seed or model is refused.
    private static readonly string[] NotCompared = ["train.micro_batch", "train.precision", "train.seed"];
    private static readonly string[] RowFields = ["train.batch_tokens", "train.length_curriculum"];
    private static readonly string[] CourseFields = ["train.steps", "train.master"];

    /// <summary>Every one, fields of the spec first; empty when the resumed run is the straight one bit for bit.</summary>
    public static IReadOnlyList<ResumeDifference> Between((RunSpec Spec, TrainState State) then, (RunSpec Spec, TrainState State) now)
    {
        List<ResumeDifference> found = [];
        var (specThen, specNow) = (JsonSerializer.SerializeToElement(then.Spec, Json.Wire), JsonSerializer.SerializeToElement(now.Spec, Json.Wire));
        foreach (var rule in RunSpecFields.All)
        {
            if (EffectOf(rule.Path) is { } effect)
            {
                Compare(rule.Path, Shown(specThen, rule.Path), Shown(specNow, rule.Path), effect);
            }
        }

        // A dataset is its content: it may lie elsewhere and be the same.
        if (then.State.Dataset != now.State.Dataset)
        {
            Compare("data.dataset", Content(then), Content(now), ResumeEffect.Rows);
        }

        Compare("precision", then.State.Precision, now.State.Precision, ResumeEffect.Course);
        Compare("threads", $"{then.State.Threads}", $"{now.State.Threads}", ResumeEffect.Bits);
        Compare("micro_batch", $"{then.State.MicroBatch}", $"{now.State.MicroBatch}", ResumeEffect.Bits);
        Compare("device", then.State.DeviceModel, now.State.DeviceModel, ResumeEffect.Bits);
        Compare("libtorch", then.State.Libtorch, now.State.Libtorch, ResumeEffect.Bits);
        return found;

        void Compare(string field, string before, string here, ResumeEffect effect)
        {
            if (before != here)
            {
                found.Add(new ResumeDifference(field, before, here, effect));
            }
        }
    }

    /// <summary>A sentence for the run's log.</summary>
    public override string ToString() => $"The checkpoint's {Field} was {Then} and is {Now}: " + Effect switch
    {
        ResumeEffect.Rows => "the run goes on with other rows than it would have read.",
        ResumeEffect.Course => "the run goes on otherwise than it began.",
        _ => "from here on not bit-equal.",
    };

    private static ResumeEffect? EffectOf(string path) => path switch
    {
        "data.dataset" => null,
        _ when NotCompared.Contains(path) => null,
        _ when path.StartsWith("data.", StringComparison.Ordinal) || RowFields.Contains(path) => ResumeEffect.Rows,
        _ when path.StartsWith("optimizer.", StringComparison.Ordinal) || CourseFields.Contains(path) => ResumeEffect.Course,
        _ when path.StartsWith("train.", StringComparison.Ordinal) => ResumeEffect.Bits,
        _ => null,
    };

    private static string Content((RunSpec Spec, TrainState State) of) => $"{of.Spec.Data.Dataset} ({of.State.Dataset})";

    private static string Shown(JsonElement spec, string path)
    {
        var value = path.Split('.').Aggregate(spec, (at, name) => at.GetProperty(name));
        return value.ToString() is { Length: > 0 } text ? text : "none";
    }
}
