using System.Runtime.InteropServices;
using Hearth.Models.Positronic;
using Xunit;

namespace Hearth.Tests.Positronic;

/// <summary>Check 10: what is frozen is the same on every machine.</summary>
public sealed class Check10_TableTests
{
    [Theory]
    [InlineData(512, 14, 0x6B8EB46D)]
    [InlineData(16512, 508, 0xB055AF6E)]
    public void Check_10_the_fractal_table_is_the_stated_one_bit_for_bit(int vocab, int oscillators, uint expected)
    {
        float[] table = FractalTable.Make(vocab, oscillators);

        Assert.Equal(expected, Crc32(MemoryMarshal.AsBytes(table.AsSpan())));
        Assert.All(table, angle => Assert.InRange(Math.Abs(angle), 0, (float)Math.PI));
        Assert.Equal([-2.634494f, 2.6183143f, -2.4339736f], table[..3]);
    }

    [Fact]
    public void Check_10_two_builds_of_the_table_are_identical() => Assert.Equal(FractalTable.Make(512, 14), FractalTable.Make(512, 14));

    [Theory]
    [InlineData(512, 64, new long[] { 38, 0, 33, 0, 13, 20 }, new long[] { 57, 47, 28, 40, 49, 62 })]
    [InlineData(16512, 4096, new long[] { 3430, 3008, 1761, 1216, 397, 404 }, new long[] { 441, 3759, 3612, 1128, 3185, 638 })]
    public void Check_10_hashes_of_the_first_and_last_window_are_the_stated_ones(int vocab, int table, long[] last, long[] first)
    {
        var codes = new EngramCodes(vocab, 3, 2, table);
        long[] rows = new long[5 * 6];

        codes.Rows_TK([1, 2, 3, 4, 5], 5, rows);

        Assert.Equal(first, rows[..6]);
        Assert.Equal(last, rows[24..]);
    }

    [Fact]
    public void Check_10_the_generator_draws_the_stated_numbers()
    {
        var random = new SplitMix64(0x5EED0E46);

        Assert.Equal(0x7B3158832D5669DEUL, random.Next());
        double[] code = EngramCodes.Gaussian(0x5EED0E46, 32);
        Nano.Near(0.84382652490, code[0], 1e-11);
        Nano.Near(-0.77492846768, code[1], 1e-11);
        Nano.Near(1.10983858421, EngramCodes.Gaussian(0x1A5B + 64 + 8, 32)[0], 1e-11);
    }

    [Fact]
    public void Hashes_of_a_continued_text_are_those_of_the_whole()
    {
        var codes = new EngramCodes(512, 3, 2, 64);
        long[] ids = Small.Draw(20, 512, 4), whole = new long[20 * 6], last = new long[6];
        codes.Rows_TK(ids, 20, whole);

        codes.Rows_TK(ids.AsSpan(12, 3), 1, last);

        Assert.Equal(whole[(14 * 6)..(15 * 6)], last);
    }

    // The checksum of zlib (RFC 1952 §8), bit by bit.
    private static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        uint[] table = new uint[256];
        for (uint n = 0; n < 256; n++)
        {
            uint c = n;
            for (int k = 0; k < 8; k++)
            {
                c = (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1;
            }

            table[n] = c;
        }

        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc = table[(crc ^ b) & 0xff] ^ (crc >> 8);
        }

        return ~crc;
    }
}
