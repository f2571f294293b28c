using System.Numerics;

namespace Hearth.Coordinator.Metrics.Storage;

/// <summary>
/// A column of integers as bytes that a general compressor makes small, exactly and for any values. The column is differenced up to twice,
/// as often as leaves the shortest numbers (once for steps and times, twice for a schedule, never for noise); what is left counts from its
/// middle and is cut into planes, all lowest bytes first, so that the planes that are zeros or nearly so stand together. Pure.
/// </summary>
/// <remarks>Layout: order of differences; that many first values and the middle as varints; how many planes; the planes.</remarks>
internal static class ColumnCodec
{
    private const int MostOrder = 2;
    private const int SampleOfMiddle = 255;

    /// <summary>Floats in their order as integers: neighbouring values are neighbouring numbers, and no bit gets lost.</summary>
    internal static long Ordered(float value)
    {
        int bits = BitConverter.SingleToInt32Bits(value);
        return bits < 0 ? bits ^ int.MaxValue : bits;
    }

    /// <summary>What <see cref="Ordered(float)"/> was made of.</summary>
    internal static float Single(long ordered)
    {
        int bits = (int)ordered;
        return BitConverter.Int32BitsToSingle(bits < 0 ? bits ^ int.MaxValue : bits);
    }

    /// <summary>As <see cref="Ordered(float)"/>.</summary>
    internal static long Ordered(double value)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        return bits < 0 ? bits ^ long.MaxValue : bits;
    }

    /// <summary>What <see cref="Ordered(double)"/> was made of.</summary>
    internal static double Double(long ordered) => BitConverter.Int64BitsToDouble(ordered < 0 ? ordered ^ long.MaxValue : ordered);

    /// <param name="writer">Takes the bytes.</param>
    /// <param name="column">Of any length; its content is lost.</param>
    internal static void Write(ByteWriter writer, long[] column)
    {
        int order = 0;
        ulong least = Cost(column, 0, out long middle);
        var best = column;
        long[] differences = column;
        for (int next = 1; next <= MostOrder && next < column.Length; next++)
        {
            differences = [.. differences];
            Difference(differences, next);
            ulong cost = Cost(differences, next, out long itsMiddle);
            if (cost < least)
            {
                (order, least, middle, best) = (next, cost, itsMiddle, differences);
            }
        }

        writer.Byte((byte)order);
        for (int i = 0; i < order; i++)
        {
            writer.Signed(best[i]);
        }

        writer.Signed(middle);
        WritePlanes(writer, best.AsSpan(order), middle);
    }

    /// <exception cref="InvalidDataException">The bytes are no column of that length.</exception>
    internal static long[] Read(ref ByteReader reader, int count)
    {
        long[] column = new long[count];
        int order = reader.Byte();
        if (order > Math.Min(MostOrder, count))
        {
            throw new InvalidDataException($"A column of {count} values was differenced {order} times.");
        }

        for (int i = 0; i < order; i++)
        {
            column[i] = reader.Signed();
        }

        long middle = reader.Signed();
        ReadPlanes(ref reader, column.AsSpan(order), middle);
        for (int pass = order; pass >= 1; pass--)
        {
            for (int i = pass; i < count; i++)
            {
                column[i] += column[i - 1];
            }
        }

        return column;
    }

    // From the end, so that the values that a difference needs are still there; those before `order` are first values of earlier passes.
    private static void Difference(long[] column, int order)
    {
        for (int i = column.Length - 1; i >= order; i--)
        {
            column[i] -= column[i - 1];
        }
    }

    /// <summary>Bits that the numbers take around their middle, which may be that of a part of them: any serves.</summary>
    private static ulong Cost(long[] column, int order, out long middle)
    {
        int count = column.Length - order;
        int stride = Math.Max(1, count / SampleOfMiddle);
        long[] sample = new long[(count + stride - 1) / stride];
        for (int i = 0; i < sample.Length; i++)
        {
            sample[i] = column[order + (i * stride)];
        }

        Array.Sort(sample);
        middle = sample.Length == 0 ? 0 : sample[sample.Length / 2];
        ulong bits = 0;
        for (int i = order; i < column.Length; i++)
        {
            bits += (ulong)(64 - BitOperations.LeadingZeroCount(ByteWriter.ZigZag(column[i] - middle)));
        }

        return bits;
    }

    private static void WritePlanes(ByteWriter writer, ReadOnlySpan<long> numbers, long middle)
    {
        ulong all = 0;
        foreach (long number in numbers)
        {
            all |= ByteWriter.ZigZag(number - middle);
        }

        int planes = (64 - BitOperations.LeadingZeroCount(all) + 7) / 8;
        writer.Byte((byte)planes);
        for (int plane = 0; plane < planes; plane++)
        {
            var bytes = writer.Take(numbers.Length);
            for (int i = 0; i < numbers.Length; i++)
            {
                bytes[i] = (byte)(ByteWriter.ZigZag(numbers[i] - middle) >> (8 * plane));
            }
        }
    }

    private static void ReadPlanes(ref ByteReader reader, Span<long> numbers, long middle)
    {
        int planes = reader.Byte();
        if (planes > sizeof(long))
        {
            throw new InvalidDataException($"A column has {planes} planes of bytes.");
        }

        for (int plane = 0; plane < planes; plane++)
        {
            var bytes = reader.Take(numbers.Length);
            for (int i = 0; i < numbers.Length; i++)
            {
                numbers[i] |= (long)((ulong)bytes[i] << (8 * plane));
            }
        }

        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = ByteWriter.UnZigZag((ulong)numbers[i]) + middle;
        }
    }
}
