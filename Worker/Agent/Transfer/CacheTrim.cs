namespace Hearth.Agent;

/// <summary>Something that the cache could do without: a blob, or the folder of a prepared dataset.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Bytes">What it takes.</param>
/// <param name="Used">When it was last asked for.</param>
public sealed record CacheEntry(string Path, long Bytes, DateTime Used);

/// <summary>Keeps blobs and prepared datasets together within one limit.</summary>
public static class CacheTrim
{
    /// <summary>What goes: that which was used longest ago, until the rest fits; never what was used since <paramref name="needed"/>. Pure.</summary>
    public static IReadOnlyList<CacheEntry> Choose(IEnumerable<CacheEntry> entries, long limit, DateTime needed)
    {
        var chosen = new List<CacheEntry>();
        long kept = 0;
        foreach (var entry in entries.OrderByDescending(e => e.Used))
        {
            kept += entry.Bytes;
            if (kept > limit && entry.Used < needed)
            {
                kept -= entry.Bytes;
                chosen.Add(entry);
            }
        }

        return chosen;
    }

    /// <param name="blobs">A folder of files.</param>
    /// <param name="prepared">A folder of folders, and of small files beside them.</param>
    /// <param name="limit">Bytes that both may take.</param>
    /// <param name="needed">What was used from then on may be in use.</param>
    /// <exception cref="IOException">Something cannot be removed.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public static void Apply(string blobs, string prepared, long limit, DateTime needed)
    {
        var files = new DirectoryInfo(blobs).EnumerateFiles("*", SearchOption.AllDirectories).Concat(new DirectoryInfo(prepared).EnumerateFiles())
            .Select(f => new CacheEntry(f.FullName, f.Length, f.LastWriteTimeUtc));
        var folders = new DirectoryInfo(prepared).EnumerateDirectories()
            .Select(d => new CacheEntry(d.FullName, d.EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length), d.LastWriteTimeUtc));
        foreach (var entry in Choose(files.Concat(folders), limit, needed))
        {
            AgentHome.RemoveEntry(entry.Path);
        }
    }
}
