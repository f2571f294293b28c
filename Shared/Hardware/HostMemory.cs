using System.Globalization;

namespace Hearth.Hardware;

/// <summary>The host's memory as its kernel counts it.</summary>
/// <param name="TotalBytes">All of it.</param>
/// <param name="FreeBytes">What a new process can have without swapping.</param>
public sealed record HostMemory(long TotalBytes, long FreeBytes)
{
    private const string Source = "/proc/meminfo";

    /// <summary>Now; null where the system does not tell.</summary>
    public static HostMemory? Read()
    {
        try
        {
            if (!File.Exists(Source))
            {
                return null;
            }

            var kibibytes = File.ReadLines(Source)
                .Select(l => l.Split([':', ' '], StringSplitOptions.RemoveEmptyEntries))
                .Where(p => p is ["MemTotal" or "MemAvailable", _, ..])
                .ToDictionary(p => p[0], p => long.Parse(p[1], CultureInfo.InvariantCulture), StringComparer.Ordinal);
            return new HostMemory(kibibytes["MemTotal"] << 10, kibibytes["MemAvailable"] << 10);
        }
        catch (Exception e) when (e is IOException or FormatException or KeyNotFoundException)
        {
            return null;
        }
    }
}
