using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Hearth.Models.Hybrid.Artifact;

/// <summary>An artifact in memory: its model, κ, and the inflated body.</summary>
public sealed record Hyb6(HybridPlan Plan, double Kappa, Hyb6Layout Layout, byte[] Body)
{
    /// <summary>Codes of an int6 tensor, row-major.</summary>
    public ReadOnlySpan<sbyte> Codes(Hyb6Entry entry) => MemoryMarshal.Cast<byte, sbyte>(Body.AsSpan(entry.Offset, entry.Count));

    /// <summary>The tensor's values in fp32: scale times code, or the stored fp16.</summary>
    public float[] Decode(Hyb6Entry entry)
    {
        float[] values = new float[entry.Count];
        if (entry.ScaleOffset is not { } scaleOffset)
        {
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = Half(entry.Offset, i);
            }

            return values;
        }

        var codes = Codes(entry);
        int columns = values.Length / entry.Rows;
        for (int row = 0; row < entry.Rows; row++)
        {
            float scale = Half(scaleOffset, row);
            for (int i = row * columns; i < (row + 1) * columns; i++)
            {
                values[i] = scale * codes[i];
            }
        }

        return values;
    }

    private float Half(int offset, int index) => (float)BinaryPrimitives.ReadHalfLittleEndian(Body.AsSpan(offset + (2 * index)));
}

/// <summary>
/// The container: magic <c>HYB6</c>, u32 little-endian header length, header, then one zlib stream (RFC 1950) of the body. Written
/// with Huffman codes only, whose size is the same in every zlib; any stream is read.
/// </summary>
public static class Hyb6File
{
    private const int LargestHeader = 1 << 22;
    private static ReadOnlySpan<byte> Magic => "HYB6"u8;

    public static byte[] Write(HybridPlan plan, double kappa, Hyb6Layout layout, ReadOnlySpan<byte> body)
    {
        byte[] header = Hyb6Header.Write(plan, kappa, layout);
        using var file = new MemoryStream();
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)header.Length);
        file.Write(Magic);
        file.Write(length);
        file.Write(header);
        var how = new ZLibCompressionOptions { CompressionLevel = 9, CompressionStrategy = ZLibCompressionStrategy.HuffmanOnly };
        using (var zlib = new ZLibStream(file, how, leaveOpen: true))
        {
            zlib.Write(body);
        }

        return file.ToArray();
    }

    /// <summary>Reads a file; nothing is allocated from a number in it before that was checked.</summary>
    /// <exception cref="ArtifactException">Names the field or tensor that is wrong or cut off.</exception>
    public static Hyb6 Read(Stream stream)
    {
        byte[] start = new byte[8];
        int got = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (got < start.Length || !start.AsSpan(0, 4).SequenceEqual(Magic))
        {
            throw new ArtifactException($"magic is {Convert.ToHexStringLower(start.AsSpan(0, Math.Min(got, 4)))}. Allowed: 48594236 (HYB6) and a header length.");
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(start.AsSpan(4));
        if (length > LargestHeader)
        {
            throw new ArtifactException($"The header length is {length}. Allowed: at most {LargestHeader}.");
        }

        byte[] header = new byte[length];
        if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length)
        {
            throw new ArtifactException($"The file ends inside its header of {length} bytes.");
        }

        var (plan, kappa, layout) = Hyb6Header.Read(header);
        byte[] compressed = Rest(stream);
        byte[] body = Inflate(compressed, layout);
        uint stored = BinaryPrimitives.ReadUInt32BigEndian(compressed.AsSpan(compressed.Length - 4));
        return stored == Adler32(body)
            ? new Hyb6(plan, kappa, layout, body)
            : throw new ArtifactException($"The file's last four bytes are {stored:x8}; the body's checksum is {Adler32(body):x8}.");
    }

    // To the end of the file, which no artifact's limit lets grow beyond the limit itself.
    private static byte[] Rest(Stream stream)
    {
        using var rest = new MemoryStream();
        byte[] part = new byte[1 << 16];
        for (int read; (read = stream.Read(part)) > 0;)
        {
            rest.Write(part, 0, read);
            ArtifactEncoder.Refuse(rest.Length);
        }

        return rest.Length >= 4 ? rest.ToArray() : throw new ArtifactException("The file ends before its body.");
    }

    // RFC 1950 §8.2. The library does not say whether a stream that gave every byte also had its checksum.
    private static uint Adler32(ReadOnlySpan<byte> bytes)
    {
        const uint modulus = 65521;
        const int longest = 5552;
        uint a = 1, b = 0;
        while (bytes.Length > 0)
        {
            int count = Math.Min(longest, bytes.Length);
            foreach (byte value in bytes[..count])
            {
                a += value;
                b += a;
            }

            (a, b) = (a % modulus, b % modulus);
            bytes = bytes[count..];
        }

        return (b << 16) | a;
    }

    private static byte[] Inflate(byte[] compressed, Hyb6Layout layout)
    {
        byte[] body = new byte[layout.Bytes];
        int got = 0;
        try
        {
            using var zlib = new ZLibStream(new MemoryStream(compressed), CompressionMode.Decompress);
            for (int read; got < body.Length && (read = zlib.Read(body.AsSpan(got))) > 0;)
            {
                got += read;
            }

            if (got == body.Length && zlib.ReadByte() >= 0)
            {
                throw new ArtifactException($"The body is longer than {body.Length} bytes, which its tensors take.");
            }
        }
        catch (InvalidDataException e)
        {
            throw new ArtifactException($"{At(layout, got)}: the compressed body is broken after {got} bytes: {e.Message}");
        }

        return got == body.Length ? body : throw new ArtifactException($"{At(layout, got)}: the body ends after {got} of {body.Length} bytes.");
    }

    private static string At(Hyb6Layout layout, int offset) =>
        layout.Entries.Where(e => e.Offset <= offset).MaxBy(e => e.Offset)?.Name ?? "body";
}
