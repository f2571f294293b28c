using Hearth.Runs;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>Counts what comes out of packings and how many entries there are, over a whole import, and ends it at the limits.</summary>
public sealed class UnpackBudget(SourceLimits limits)
{
    private long _bytes;
    private long _entries;

    /// <summary>Takes note of an entry of an archive.</summary>
    /// <exception cref="DatasetRefusedException">There are too many.</exception>
    public void Entry(string archive)
    {
        if (++_entries > limits.MostEntries)
        {
            throw Refused(archive, $"more than {Words.Number(limits.MostEntries)} entries", $"at most {Words.Number(limits.MostEntries)} entries in the archives of an import (HEARTH_IMPORT_MOST_ENTRIES)");
        }
    }

    /// <summary>Takes note of bytes that came out of a packing.</summary>
    /// <param name="name">Of the packing.</param>
    /// <param name="bytes">That came.</param>
    /// <param name="unpacked">All that came out of this packing, these included.</param>
    /// <param name="packed">All that went in.</param>
    /// <exception cref="DatasetRefusedException">They are too many, or too many for what went in.</exception>
    public void Unpacked(string name, int bytes, long unpacked, long packed)
    {
        if ((_bytes += bytes) > limits.MostBytes)
        {
            throw Refused(name, $"more than {Words.Number(limits.MostBytes)} bytes unpacked", $"at most {Words.Number(limits.MostBytes)} bytes unpacked in an import (HEARTH_IMPORT_MOST_BYTES)");
        }

        if (unpacked > limits.RatioFreeBytes && unpacked / limits.MostRatio > packed)
        {
            throw Refused(
                name,
                $"{Words.Number(unpacked / Math.Max(1, packed))} bytes out of each byte",
                $"at most {Words.Number(limits.MostRatio)} bytes out of each byte (HEARTH_IMPORT_RATIO)");
        }
    }

    private static DatasetRefusedException Refused(string name, string what, string allowed) => new("files", name, allowed, $"{name} gives {what}. Allowed: {allowed}.");
}
