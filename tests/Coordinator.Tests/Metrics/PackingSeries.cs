using FsCheck;
using FsCheck.Fluent;
using Hearth.Coordinator.Metrics.Storage;
using Xunit;

namespace Hearth.Tests.Metrics;

public sealed class PackingSeries
{
    private static readonly int[] Odd =
    [
        0, int.MinValue, 1, -2_147_483_647, 0x7f800000, unchecked((int)0xff800000), 0x7fc00000, 0x7f800001, unchecked((int)0xffc12345), 0x007fffff, 0x7f7fffff, 0x3f800000,
    ];

    /// <summary>Steps that repeat and fall, any times, and the bits of ±0, ±infinity, denormals and NaNs with their payloads.</summary>
    [Fact]
    public void Points_come_back_bit_by_bit() => Prop.ForAll<int>(seed =>
    {
        var random = new Random(seed);
        var points = Enumerable.Range(0, random.Next(0, 400)).Select(_ => new Point(
            Any(random), Any(random), BitConverter.Int32BitsToSingle(random.Next(3) == 0 ? Odd[random.Next(Odd.Length)] : random.Next()), random.Next(1, 4))).ToList();

        Same(points, ChunkCodec.Points(ChunkCodec.OfPoints(points)));
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8192)]
    public void Points_as_runs_write_them_come_back_and_take_few_bytes(int count)
    {
        var points = Likely(count);
        byte[] chunk = ChunkCodec.OfPoints(points);

        Same(points, ChunkCodec.Points(chunk));
        Assert.True(count < 8192 || chunk.Length < count * 4, $"{chunk.Length} bytes for {count} points");
    }

    [Fact]
    public void A_schedule_and_a_constant_take_next_to_nothing()
    {
        Point[] schedule = [.. Enumerable.Range(1, 8192).Select(i => new Point(i, 1_764_000_000_000 + (250L * i), 3e-4f * i / 8192, 1))];
        Point[] constant = [.. schedule.Select(p => p with { Value = 8_123_456_789f })];

        Assert.InRange(ChunkCodec.OfPoints(constant).Length, 1, 200);
        Assert.InRange(ChunkCodec.OfPoints(schedule).Length, 1, 8192);
    }

    [Fact]
    public void Buckets_come_back_bit_by_bit() => Prop.ForAll<int>(seed =>
    {
        var random = new Random(seed);
        float Value() => BitConverter.Int32BitsToSingle(random.Next(3) == 0 ? Odd[random.Next(Odd.Length)] : random.Next());
        var buckets = Enumerable.Range(0, random.Next(0, 200)).Select(_ => new Bucket(
            Any(random), Any(random), Any(random), random.Next(), BitConverter.Int64BitsToDouble(Any(random)), Value(), Value())).ToList();

        var back = ChunkCodec.Buckets(ChunkCodec.OfBuckets(buckets));

        Assert.Equal(
            buckets.Select(b => (b.Index, b.FirstStep, b.FirstTime, b.Points, BitConverter.DoubleToInt64Bits(b.Total), Bits(b.Low), Bits(b.High))),
            back.Select(b => (b.Index, b.FirstStep, b.FirstTime, b.Points, BitConverter.DoubleToInt64Bits(b.Total), Bits(b.Low), Bits(b.High))));
    }).QuickCheckThrowOnFailure();

    /// <summary>Whatever a damaged row holds, it is told as damage.</summary>
    [Fact]
    public void Damaged_bytes_are_told_as_such() => Prop.ForAll<int>(seed =>
    {
        var random = new Random(seed);
        byte[] chunk = ChunkCodec.OfPoints(Likely(random.Next(1, 300)));
        byte[] damaged = random.Next(2) == 0 ? chunk[..random.Next(chunk.Length)] : chunk;
        if (damaged.Length > 0)
        {
            damaged[random.Next(damaged.Length)] ^= (byte)random.Next(1, 256);
        }

        try
        {
            Assert.InRange(ChunkCodec.Points(damaged).Length, 0, 1 << 20);
        }
        catch (InvalidDataException e)
        {
            Assert.NotEmpty(e.Message);
        }
    }).QuickCheckThrowOnFailure();

    private static long Any(Random random) => random.Next(4) switch
    {
        0 => random.NextInt64(long.MinValue, long.MaxValue),
        1 => random.Next(2) == 0 ? long.MinValue : long.MaxValue,
        _ => random.Next(0, 1000),
    };

    /// <summary>A noisy loss, a step each quarter of a second.</summary>
    private static List<Point> Likely(int count)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(1, count).Select(i => new Point(i, 1_764_000_000_000 + (250L * i) + random.Next(-10, 10), (float)(2.5 + (0.05 * random.NextDouble())), 1))];
    }

    private static int Bits(float value) => BitConverter.SingleToInt32Bits(value);

    private static void Same(IEnumerable<Point> expected, IEnumerable<Point> actual) =>
        Assert.Equal(expected.Select(p => (p.Step, p.Time, Bits(p.Value), p.Attempt)), actual.Select(p => (p.Step, p.Time, Bits(p.Value), p.Attempt)));
}
