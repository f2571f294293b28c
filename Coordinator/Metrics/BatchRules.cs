using System.Globalization;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Metrics;

/// <summary>
/// What a batch must hold before anything of it is stored, in whatever form it came: any token of a worker can be used to send anything, and
/// MessagePack leaves null where something is missing. A batch is taken whole or not at all; its first error is told. Points that are well formed, and that the attempt
/// cannot have all the same, are refused one by one later (<see cref="PointRules"/>). Pure.
/// </summary>
public static class BatchRules
{
    /// <summary>Points of a batch over all chunks; an agent gathers 4,000 at most.</summary>
    public const int MostPoints = 65_536;

    /// <summary>Chunks, samples or lines of a batch.</summary>
    public const int MostEntries = 4_096;

    /// <summary>Characters of a line; an agent cuts at 8,000.</summary>
    public const int LongestLine = 10_000;

    /// <summary>Characters of a sample's prompt or text.</summary>
    public const int LongestSample = 1_000_000;

    private const int LongestKey = 100;

    public static FieldError? Check(MetricsRequest request) =>
        Head(request.Lease, request.Sequence)
        ?? Count("chunks", request.Chunks?.Count, MostEntries)
        ?? Count("samples", request.Samples?.Count, MostEntries)
        ?? First("chunks", request.Chunks!, Chunk)
        ?? Count("chunks' points", request.Chunks!.Sum(c => (long)c.Steps.Count), MostPoints)
        ?? First("samples", request.Samples!, Sample);

    public static FieldError? Check(LogsRequest request) =>
        Head(request.Lease, request.Sequence) ?? Count("lines", request.Lines?.Count, MostEntries) ?? First("lines", request.Lines!, Line);

    private static FieldError? Head(Lease? lease, long sequence) =>
        lease is null ? FieldError.Of("lease", "null", "an attempt and its epoch")
        : sequence < 1 ? FieldError.Of("sequence", Number(sequence), "at least 1")
        : null;

    private static FieldError? Chunk(string at, MetricChunk chunk)
    {
        if (chunk.Key is null || chunk.Key.Length is 0 or > LongestKey || chunk.Key.Any(char.IsControl))
        {
            return FieldError.Of($"{at}.key", Shown(chunk.Key, LongestKey), $"1 to {LongestKey} printable letters");
        }

        if ((Column($"{at}.steps", chunk.Steps) ?? Column($"{at}.values", chunk.Values) ?? Column($"{at}.unix_milliseconds", chunk.UnixMilliseconds)) is { } missing)
        {
            return missing;
        }

        if (chunk.Values.Count != chunk.Steps.Count || chunk.UnixMilliseconds.Count != chunk.Steps.Count)
        {
            return FieldError.Of(at, $"{Number(chunk.Steps.Count)} steps, {Number(chunk.Values.Count)} values and {Number(chunk.UnixMilliseconds.Count)} times", "columns of one length");
        }

        for (int i = 0; i < chunk.Steps.Count; i++)
        {
            if (chunk.Steps[i] < 0 || (i > 0 && chunk.Steps[i] <= chunk.Steps[i - 1]))
            {
                return FieldError.Of($"{at}.steps[{i}]", Number(chunk.Steps[i]), "0 or more, each greater than the one before");
            }
        }

        return null;
    }

    private static FieldError? Column<T>(string field, IReadOnlyList<T>? column) => column is null ? FieldError.Of(field, "null", "a list") : null;

    private static FieldError? Sample(string at, SampleRecord sample) =>
        sample.Step < 0 ? FieldError.Of($"{at}.step", Number(sample.Step), "0 or more")
        : Text($"{at}.prompt", sample.Prompt, LongestSample) ?? Text($"{at}.text", sample.Text, LongestSample);

    private static FieldError? Line(string at, LogLine line) =>
        !Enum.IsDefined(line.Level) ? FieldError.Of($"{at}.level", Number((long)line.Level), string.Join(", ", Enum.GetValues<Protocol.LogLevel>().Select(l => $"{(int)l} ({l})")))
        : Text($"{at}.text", line.Text, LongestLine);

    private static FieldError? Text(string field, string? text, int longest) =>
        text is null || text.Length > longest ? FieldError.Of(field, Shown(text, 0), $"at most {Words.Number(longest)} characters") : null;

    private static FieldError? Count(string field, long? count, int most) =>
        count is { } n && n <= most ? null : FieldError.Of(field, count is { } many ? $"{Words.Number(many)} entries" : "null", $"at most {Words.Number(most)} entries");

    private static FieldError? First<T>(string field, IReadOnlyList<T?> entries, Func<string, T, FieldError?> check)
        where T : class
    {
        for (int i = 0; i < entries.Count; i++)
        {
            string at = string.Create(CultureInfo.InvariantCulture, $"{field}[{i}]");
            if ((entries[i] is { } entry ? check(at, entry) : FieldError.Of(at, "null", "an entry")) is { } error)
            {
                return error;
            }
        }

        return null;
    }

    // What is shown comes back to whoever sent it: no longer than it may be, and printable.
    private static string Shown(string? text, int longest) =>
        text is null ? "null"
        : text.Length > longest ? $"{Words.Number(text.Length)} characters long"
        : new string([.. text.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c)]);

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
