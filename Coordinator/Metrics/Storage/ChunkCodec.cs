using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Hearth.Coordinator.Metrics.Storage;

/// <summary>
/// Points and buckets as the bytes of a chunk, exactly: every float's bits come back, and steps may repeat or fall. Columns by
/// <see cref="ColumnCodec"/>, all of them through Brotli where that makes them smaller. Pure.
/// </summary>
/// <remarks>The first byte says the form. <see cref="Raw"/> is written by the migration alone, out of the rows of before: int64 steps, int64 times, float32 values.</remarks>
internal static class ChunkCodec
{
    private const byte Raw = 0;
    private const byte Plain = 1;
    private const byte Packed = 2;

    // Fewer bytes than this are a few points on their way to a chunk; packing them gains nothing.
    private const int LeastPacked = 512;
    private const int Quality = 5;
    private const int Window = 18;
    private const int MostEntries = 1 << 20;
    private const int MostBytes = MostEntries * 64;

    internal static byte[] OfPoints(IReadOnlyList<Point> points)
    {
        var writer = new ByteWriter();
        writer.Unsigned((ulong)points.Count);
        WriteRuns(writer, points);
        ColumnCodec.Write(writer, Column(points, p => p.Step));
        ColumnCodec.Write(writer, Column(points, p => p.Time));
        ColumnCodec.Write(writer, Column(points, p => ColumnCodec.Ordered(p.Value)));
        return Finish(writer);
    }

    /// <param name="chunk">Of points.</param>
    /// <param name="attempt">Whose they are where the bytes do not say so themselves.</param>
    /// <exception cref="InvalidDataException">It is none.</exception>
    internal static Point[] Points(ReadOnlySpan<byte> chunk, int attempt = 0)
    {
        if (chunk.Length > 0 && chunk[0] == Raw)
        {
            return RawPoints(chunk[1..], attempt);
        }

        var reader = new ByteReader(Payload(chunk));
        var points = new Point[reader.Count(MostEntries)];
        int[] attempts = ReadRuns(ref reader, points.Length);
        long[] steps = ColumnCodec.Read(ref reader, points.Length);
        long[] times = ColumnCodec.Read(ref reader, points.Length);
        long[] values = ColumnCodec.Read(ref reader, points.Length);
        for (int i = 0; i < points.Length; i++)
        {
            points[i] = new Point(steps[i], times[i], ColumnCodec.Single(values[i]), attempts[i]);
        }

        return points;
    }

    internal static byte[] OfBuckets(IReadOnlyList<Bucket> buckets)
    {
        var writer = new ByteWriter();
        writer.Unsigned((ulong)buckets.Count);
        ColumnCodec.Write(writer, Column(buckets, b => b.Index));
        ColumnCodec.Write(writer, Column(buckets, b => b.FirstStep));
        ColumnCodec.Write(writer, Column(buckets, b => b.FirstTime));
        ColumnCodec.Write(writer, Column(buckets, b => b.Points));
        ColumnCodec.Write(writer, Column(buckets, b => ColumnCodec.Ordered(b.Total)));
        ColumnCodec.Write(writer, Column(buckets, b => ColumnCodec.Ordered(b.Low)));
        ColumnCodec.Write(writer, Column(buckets, b => ColumnCodec.Ordered(b.High)));
        return Finish(writer);
    }

    /// <exception cref="InvalidDataException">The bytes are no chunk of buckets.</exception>
    internal static Bucket[] Buckets(ReadOnlySpan<byte> chunk)
    {
        var reader = new ByteReader(Payload(chunk));
        var buckets = new Bucket[reader.Count(MostEntries)];
        long[][] columns = new long[7][];
        for (int c = 0; c < columns.Length; c++)
        {
            columns[c] = ColumnCodec.Read(ref reader, buckets.Length);
        }

        for (int i = 0; i < buckets.Length; i++)
        {
            buckets[i] = new Bucket(
                columns[0][i], columns[1][i], columns[2][i], columns[3][i], ColumnCodec.Double(columns[4][i]), ColumnCodec.Single(columns[5][i]), ColumnCodec.Single(columns[6][i]));
        }

        return buckets;
    }

    private static long[] Column<T>(IReadOnlyList<T> entries, Func<T, long> of)
    {
        long[] column = new long[entries.Count];
        for (int i = 0; i < column.Length; i++)
        {
            column[i] = of(entries[i]);
        }

        return column;
    }

    // Attempts follow each other, so that a chunk has one or few of them.
    private static void WriteRuns(ByteWriter writer, IReadOnlyList<Point> points)
    {
        for (int i = 0; i < points.Count;)
        {
            int start = i;
            while (i < points.Count && points[i].Attempt == points[start].Attempt)
            {
                i++;
            }

            writer.Signed(points[start].Attempt);
            writer.Unsigned((ulong)(i - start));
        }
    }

    private static int[] ReadRuns(ref ByteReader reader, int count)
    {
        int[] attempts = new int[count];
        for (int i = 0; i < count;)
        {
            int attempt = (int)reader.Signed();
            int run = reader.Count(count - i);
            if (run == 0)
            {
                throw new InvalidDataException("A run of points of one attempt has none.");
            }

            attempts.AsSpan(i, run).Fill(attempt);
            i += run;
        }

        return attempts;
    }

    private static Point[] RawPoints(ReadOnlySpan<byte> columns, int attempt)
    {
        const int Width = (2 * sizeof(long)) + sizeof(float);
        int count = columns.Length / Width;
        if (count * Width != columns.Length)
        {
            throw new InvalidDataException($"A chunk of raw columns has {columns.Length} bytes, which is no multiple of {Width}.");
        }

        var points = new Point[count];
        for (int i = 0; i < count; i++)
        {
            points[i] = new Point(
                MemoryMarshal.Read<long>(columns[(i * sizeof(long))..]),
                MemoryMarshal.Read<long>(columns[((count + i) * sizeof(long))..]),
                MemoryMarshal.Read<float>(columns[((2 * count * sizeof(long)) + (i * sizeof(float)))..]),
                attempt);
        }

        return points;
    }

    private static byte[] Finish(ByteWriter writer)
    {
        var plain = writer.Written;
        if (plain.Length >= LeastPacked)
        {
            byte[] packed = new byte[plain.Length];
            if (BrotliEncoder.TryCompress(plain, packed, out int length, Quality, Window) && length + (2 * sizeof(int)) < plain.Length)
            {
                var head = new ByteWriter();
                head.Byte(Packed);
                head.Unsigned((ulong)plain.Length);
                return [.. head.Written, .. packed.AsSpan(0, length)];
            }
        }

        return [Plain, .. plain];
    }

    private static ReadOnlySpan<byte> Payload(ReadOnlySpan<byte> chunk)
    {
        var reader = new ByteReader(chunk);
        byte form = reader.Byte();
        if (form == Plain)
        {
            return chunk[1..];
        }

        if (form != Packed)
        {
            throw new InvalidDataException($"A chunk has the form {form}. Known: {Raw}, {Plain}, {Packed}.");
        }

        byte[] plain = new byte[reader.Count(MostBytes)];
        return BrotliDecoder.TryDecompress(reader.Rest(), plain, out int length) && length == plain.Length
            ? plain
            : throw new InvalidDataException("A packed chunk does not unpack to the length that it names.");
    }
}
