using System.Globalization;
using Hearth.Runs;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>What unpacking may cost, so that a small file cannot fill a disk or keep a coordinator busy for days.</summary>
public sealed record SourceLimits
{
    /// <summary><c>HEARTH_IMPORT_MOST_BYTES</c>: bytes that come out of all packings of an import together.</summary>
    public long MostBytes { get; init; } = 1L << 40;

    /// <summary><c>HEARTH_IMPORT_RATIO</c>: how many bytes may come out of each that goes in. Text gives 3 to 20, a bomb 1,000 and more.</summary>
    public int MostRatio { get; init; } = 200;

    /// <summary><c>HEARTH_IMPORT_MOST_ENTRIES</c>: entries of all archives together, those that are skipped too.</summary>
    public int MostEntries { get; init; } = 1_000_000;

    /// <summary>The ratio is not looked at before this many bytes have come out.</summary>
    public long RatioFreeBytes { get; init; } = 64L << 20;

    /// <exception cref="InvalidOperationException">A setting is wrong; the message names it, its value and what is allowed.</exception>
    public static SourceLimits Read(IConfiguration settings) => new()
    {
        MostBytes = Number(settings, "HEARTH_IMPORT_MOST_BYTES", 1L << 40, 1, 1L << 50),
        MostRatio = (int)Number(settings, "HEARTH_IMPORT_RATIO", 200, 2, 1_000_000),
        MostEntries = (int)Number(settings, "HEARTH_IMPORT_MOST_ENTRIES", 1_000_000, 1, 100_000_000),
    };

    /// <exception cref="InvalidOperationException">The setting is no whole number within its bounds.</exception>
    internal static long Number(IConfiguration settings, string name, long otherwise, long least, long most) => settings[name] switch
    {
        null or "" => otherwise,
        var text when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= least && value <= most => value,
        var text => throw new InvalidOperationException($"{name} is {text}. Allowed: {Words.Number(least)} to {Words.Number(most)}."),
    };
}
