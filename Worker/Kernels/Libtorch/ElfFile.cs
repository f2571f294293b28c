using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Hearth.Kernels;

/// <summary>
/// The dynamic table of a 64-bit little-endian shared library, read as the loader reads it: by program headers, so that a library of
/// gigabytes costs a few small reads. Source: the System V ABI, "Dynamic Linking", and the GNU symbol versions of the LSB.
/// </summary>
internal sealed class ElfFile
{
    private const int Load = 1;
    private const int Dynamic = 2;
    private const long Needed = 1;
    private const long StringTable = 5;
    private const long VersionNeeds = 0x6ffffffe;
    private const long VersionNeedCount = 0x6fffffff;

    private readonly Stream _file;
    private readonly List<(long Address, long Offset, long Size)> _segments = [];
    private readonly List<(long Tag, long Value)> _entries = [];

    /// <param name="file">Seekable; read only while this object's methods run.</param>
    /// <exception cref="InvalidDataException">Not a 64-bit little-endian shared library, or not a whole one.</exception>
    public ElfFile(Stream file)
    {
        _file = file;
        var header = Read(0, 64);
        if (!header.StartsWith("\u007fELF\u0002\u0001"u8))
        {
            throw new InvalidDataException("This is no 64-bit little-endian ELF file.");
        }

        long table = Int64(header[32..]);
        int size = UInt16(header[54..]);
        int count = UInt16(header[56..]);
        (long Offset, long Size) dynamic = default;
        for (int i = 0; i < count; i++)
        {
            var entry = Read(table + (long)i * size, 56);
            var (offset, address, length) = (Int64(entry[8..]), Int64(entry[16..]), Int64(entry[32..]));
            switch (UInt32(entry))
            {
                case Load:
                    // The loader maps what the file does not hold all the same, and the first touch of it ends the process.
                    Check(offset, length);
                    _segments.Add((address, offset, length));
                    break;
                case Dynamic:
                    dynamic = (offset, length);
                    break;
            }
        }

        var entries = Read(dynamic.Offset, dynamic.Size);
        for (int at = 0; at + 16 <= entries.Length && Int64(entries[at..]) != 0; at += 16)
        {
            _entries.Add((Int64(entries[at..]), Int64(entries[(at + 8)..])));
        }
    }

    /// <summary>One version of another library that this one asks for.</summary>
    /// <param name="Library">Its name, such as <c>libstdc++.so.6</c>.</param>
    /// <param name="Version">Such as <c>GLIBCXX_3.4.32</c>.</param>
    /// <param name="FlagsOffset">Where in the file its two bytes of flags lie; 2 is weak: the loader goes on without the version.</param>
    /// <param name="Flags">What lies there.</param>
    public sealed record VersionNeed(string Library, string Version, long FlagsOffset, int Flags);

    /// <summary>The libraries that the loader wants beside this one, in its order.</summary>
    public IReadOnlyList<string> NeededLibraries() => [.. _entries.Where(e => e.Tag == Needed).Select(e => Name(e.Value))];

    public IReadOnlyList<VersionNeed> VersionNeedsOfAll()
    {
        var needs = new List<VersionNeed>();
        if (!TryGet(VersionNeeds, out long address) || !TryGet(VersionNeedCount, out long libraries))
        {
            return needs;
        }

        long library = OffsetOf(address);
        for (long i = 0; i < libraries; i++)
        {
            var head = Read(library, 16);
            string name = Name(UInt32(head[4..]));
            long at = library + UInt32(head[8..]);
            for (int version = UInt16(head[2..]); version > 0; version--)
            {
                var need = Read(at, 16);
                needs.Add(new VersionNeed(name, Name(UInt32(need[8..])), at + 4, UInt16(need[4..])));
                at += UInt32(need[12..]);
            }

            library += UInt32(head[12..]);
        }

        return needs;
    }

    private bool TryGet(long tag, out long value)
    {
        var entry = _entries.Find(e => e.Tag == tag);
        value = entry.Value;
        return entry.Tag == tag;
    }

    private string Name(long index)
    {
        if (!TryGet(StringTable, out long address))
        {
            throw new InvalidDataException("This ELF file has no table of dynamic names.");
        }

        long at = OffsetOf(address) + index;
        var name = new List<byte>();
        _file.Position = at;
        for (int next = _file.ReadByte(); next > 0; next = _file.ReadByte())
        {
            name.Add((byte)next);
        }

        return Encoding.UTF8.GetString([.. name]);
    }

    private long OffsetOf(long address)
    {
        foreach (var segment in _segments)
        {
            if (address >= segment.Address && address < segment.Address + segment.Size)
            {
                return segment.Offset + (address - segment.Address);
            }
        }

        throw new InvalidDataException($"Address 0x{address:x} lies in no loaded part of this ELF file.");
    }

    private ReadOnlySpan<byte> Read(long offset, long count)
    {
        Check(offset, count);
        byte[] bytes = new byte[count];
        _file.Position = offset;
        _file.ReadExactly(bytes);
        return bytes;
    }

    // Offsets and sizes are the file's own word, which a copy that was cut off does not keep.
    private void Check(long offset, long count)
    {
        if (offset < 0 || count < 0 || offset > _file.Length - count)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{count:N0} bytes at {offset:N0} lie outside of its {_file.Length:N0}."));
        }
    }

    private static long Int64(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt64LittleEndian(bytes);

    private static uint UInt32(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    private static ushort UInt16(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes);
}
