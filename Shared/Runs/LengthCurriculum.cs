using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hearth.Runs;

/// <summary>Rows of <paramref name="Length"/> tokens while fewer than <paramref name="UntilStep"/> optimizer steps are done; −1 = to the end.</summary>
public sealed record LengthStage(int Length, int UntilStep);

/// <summary>
/// Row lengths over a run: short rows first, for steps that cost less, then longer ones. A step's tokens stay the same, so a
/// stage of half the length has twice the rows. Written as <c>512:1000, 1024:3000, 4096</c> (length, the step it ends at, none for
/// the last), or in JSON as a list of <c>{"length": 512, "until_step": 1000}</c>.
/// </summary>
[JsonConverter(typeof(JsonForm))]
public sealed class LengthCurriculum(IReadOnlyList<LengthStage> stages) : IEquatable<LengthCurriculum>
{
    /// <summary>The end of a stage that has none.</summary>
    public const int Forever = -1;

    public static LengthCurriculum None { get; } = new([]);

    public IReadOnlyList<LengthStage> Stages => stages;

    /// <summary>Index of the stage at a zero-based step; the last one goes on where its end is passed.</summary>
    public int StageAt(long step)
    {
        int stage = 0;
        while (stage < stages.Count - 1 && stages[stage].UntilStep != Forever && step >= stages[stage].UntilStep)
        {
            stage++;
        }

        return stage;
    }

    /// <summary>The first step of a stage.</summary>
    public long FirstStep(int stage) => stage == 0 ? 0 : stages[stage - 1].UntilStep;

    /// <summary>These stages, or one of rows of <paramref name="seqLen"/> where there are none.</summary>
    public LengthCurriculum Or(int seqLen) => stages.Count > 0 ? this : new LengthCurriculum([new LengthStage(seqLen, Forever)]);

    /// <summary>Reads either form; null where a value is of neither. A stage but the last without an end is refused.</summary>
    public static LengthCurriculum? Read(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => Parse(value.GetString()!),
        JsonValueKind.Number => value.TryGetDouble(out double length) && length == Math.Floor(length) ? Parse(length.ToString("F0", CultureInfo.InvariantCulture)) : null,
        JsonValueKind.Array => Collect(value.EnumerateArray().Select(ReadStage)),
        _ => null,
    };

    public bool Equals(LengthCurriculum? other) => other is not null && stages.SequenceEqual(other.Stages);

    public override bool Equals(object? obj) => Equals(obj as LengthCurriculum);

    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    public override string ToString() => string.Join(", ", stages.Select(s =>
        s.UntilStep == Forever ? s.Length.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{s.Length}:{s.UntilStep}")));

    private static LengthCurriculum? Parse(string text) => string.IsNullOrWhiteSpace(text) ? None : Collect(text.Split(',').Select(ParseStage));

    private static LengthStage? ParseStage(string text)
    {
        string[] parts = text.Split(':', StringSplitOptions.TrimEntries);
        string end = parts.Length == 2 ? parts[1] : "-1";
        return parts.Length <= 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int length)
            && int.TryParse(end, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int until)
            ? new LengthStage(length, until)
            : null;
    }

    private static LengthStage? ReadStage(JsonElement value)
    {
        int until = Forever;
        return value.ValueKind == JsonValueKind.Object
            && value.EnumerateObject().All(p => p.Name is "length" or "until_step")
            && value.TryGetProperty("length", out var first) && first.ValueKind == JsonValueKind.Number && first.TryGetInt32(out int length)
            && (!value.TryGetProperty("until_step", out var second) || (second.ValueKind == JsonValueKind.Number && second.TryGetInt32(out until)))
            ? new LengthStage(length, until)
            : null;
    }

    private static LengthCurriculum? Collect(IEnumerable<LengthStage?> read)
    {
        var all = read.ToList();
        bool ended = all.SkipLast(1).All(s => s is { UntilStep: > 0 }) && all.All(s => s is { Length: > 0, UntilStep: > 0 or Forever });
        return ended ? new LengthCurriculum([.. all.OfType<LengthStage>()]) : null;
    }

    private sealed class JsonForm : JsonConverter<LengthCurriculum>
    {
        public override LengthCurriculum Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            using var document = JsonDocument.ParseValue(ref reader);
            return LengthCurriculum.Read(document.RootElement) ?? throw new JsonException($"{document.RootElement} is no list of row lengths.");
        }

        public override void Write(Utf8JsonWriter writer, LengthCurriculum value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
