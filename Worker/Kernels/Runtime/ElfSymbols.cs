using System.Buffers.Binary;
using System.Text;

namespace Hearth.Kernels.Runtime;

/// <summary>
/// Names that a shared library exports, read from its dynamic symbol table (System V ABI, chapter 5). C++ puts parameter types into a
/// name, and those change from release to release: a member of a class is looked up by the part that does not.
/// </summary>
internal static class ElfSymbols
{
    private const int SectionHeader = 64, Entry = 24, DynamicSymbols = 11;

    /// <summary>What is exported by a name that starts with each prefix; null where nothing is, and the shortest name where there are several.</summary>
    /// <exception cref="KernelException">The file is no 64-bit little-endian ELF library.</exception>
    internal static Symbol?[] Find(string path, params ReadOnlySpan<string> prefixes)
    {
        using var file = File.OpenRead(path);
        byte[] head = Read(file, 0, 64);
        if (!head.AsSpan(0, 6).SequenceEqual("\u007fELF\u0002\u0001"u8))
        {
            throw new KernelException($"{path} is no 64-bit ELF library");
        }

        long sections = Long(head, 0x28);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(0x3C));
        byte[] table = Read(file, sections, count * SectionHeader);
        var found = new Symbol?[prefixes.Length];
        for (int i = 0; i < count; i++)
        {
            int at = i * SectionHeader;
            if (Int(table, at + 4) == DynamicSymbols)
            {
                int strings = Int(table, at + 40) * SectionHeader;
                Search(Section(file, table, at), Section(file, table, strings), prefixes, found);
            }
        }

        return found;
    }

    private static void Search(byte[] symbols, byte[] names, ReadOnlySpan<string> prefixes, Symbol?[] found)
    {
        byte[][] wanted = new byte[prefixes.Length][];
        for (int i = 0; i < wanted.Length; i++)
        {
            wanted[i] = Encoding.ASCII.GetBytes(prefixes[i]);
        }

        for (int at = 0; at + Entry <= symbols.Length; at += Entry)
        {
            // A symbol of section 0 is one that the library asks for.
            if (BinaryPrimitives.ReadUInt16LittleEndian(symbols.AsSpan(at + 6)) == 0)
            {
                continue;
            }

            var name = names.AsSpan(Int(symbols, at));
            for (int i = 0; i < wanted.Length; i++)
            {
                if (name.StartsWith(wanted[i]))
                {
                    string whole = Encoding.ASCII.GetString(name[..name.IndexOf((byte)0)]);
                    found[i] = found[i] is { } other && other.Name.Length <= whole.Length ? other : new Symbol(whole, Long(symbols, at + 16));
                }
            }
        }
    }

    private static byte[] Section(FileStream file, byte[] table, int at) => Read(file, Long(table, at + 24), checked((int)Long(table, at + 32)));

    private static byte[] Read(FileStream file, long offset, int count)
    {
        byte[] bytes = new byte[count];
        file.Position = offset;
        file.ReadExactly(bytes);
        return bytes;
    }

    private static int Int(byte[] bytes, int at) => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at));

    private static long Long(byte[] bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));

    /// <param name="Name">As the table has it.</param>
    /// <param name="Bytes">Of the function's code, or of the data.</param>
    internal sealed record Symbol(string Name, long Bytes);
}
