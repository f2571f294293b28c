using System.Globalization;
using Hearth.Runs;

namespace Hearth.Cli;

/// <summary>Numbers and times as people read them. Pure.</summary>
internal static class Text
{
    public static string Gigabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.#} GB");

    public static string Bytes(long bytes) => bytes switch
    {
        < 1024 => $"{bytes} B",
        < 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.#} KB"),
        < 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0.#} MB"),
        _ => Gigabytes(bytes),
    };

    /// <summary>What an attempt was forecast to hold of its device's memory, and what it held at most.</summary>
    public static string Memory(long? forecast, long? peak) => (forecast, peak) switch
    {
        (null, null) => "–",
        ({ } expected, null) => $"forecast {Gigabytes(expected)}",
        (null, { } most) => $"at most {Gigabytes(most)}",
        ({ } expected, { } most) => $"forecast {Gigabytes(expected)}, at most {Gigabytes(most)}",
    };

    public static string Count(long value) => Words.Number(value);

    public static string Loss(double? loss) => loss is { } value ? value.ToString("0.0000", CultureInfo.InvariantCulture) : "–";

    public static string Speed(double? tokensPerSecond) => tokensPerSecond is { } value ? Words.Number(Math.Round(value)) + " tok/s" : "–";

    public static string Seconds(double? seconds) => seconds is { } value ? value.ToString("0.0", CultureInfo.InvariantCulture) + " s" : "–";

    public static string Milliseconds(double seconds) => (seconds * 1000).ToString("0.#", CultureInfo.InvariantCulture) + " ms";

    public static string Percent(double share) => (share * 100).ToString("0.##", CultureInfo.InvariantCulture) + " %";

    /// <summary><c>12 s</c>, <c>3 min</c>, <c>5 h</c>, <c>2 d</c>.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { TotalSeconds: < 100 } => $"{Math.Max(0, Math.Round(span.TotalSeconds)):0} s",
        { TotalMinutes: < 100 } => $"{Math.Round(span.TotalMinutes):0} min",
        { TotalHours: < 48 } => $"{Math.Round(span.TotalHours):0} h",
        _ => $"{Math.Round(span.TotalDays):0} d",
    };

    /// <summary>An enum's value as the wire names it.</summary>
    public static string Word<T>(T value)
        where T : struct, Enum => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
