using System.Runtime.InteropServices;

namespace Hearth.Coordinator.Metrics;

/// <summary>A value of a series. Times are milliseconds since 1970.</summary>
public readonly record struct Point(long Step, long Time, float Value);

/// <summary>Columns of a chunk as little-endian bytes; all machines that .NET runs on are little-endian.</summary>
public static class Columns
{
    public static byte[] Encode<T>(IReadOnlyList<T> values)
        where T : unmanaged => MemoryMarshal.AsBytes(values.ToArray().AsSpan()).ToArray();

    /// <summary>Points of one chunk, in its order.</summary>
    public static IEnumerable<Point> Decode(byte[] steps, byte[] times, byte[] values)
    {
        int count = values.Length / sizeof(float);
        if (steps.Length != count * sizeof(long) || times.Length != count * sizeof(long))
        {
            throw new InvalidDataException($"A chunk has columns of {steps.Length}, {times.Length} and {values.Length} bytes, which are not of one length.");
        }

        for (int i = 0; i < count; i++)
        {
            yield return new Point(
                MemoryMarshal.Read<long>(steps.AsSpan(i * sizeof(long))),
                MemoryMarshal.Read<long>(times.AsSpan(i * sizeof(long))),
                MemoryMarshal.Read<float>(values.AsSpan(i * sizeof(float))));
        }
    }
}
