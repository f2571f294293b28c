using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

// dotnet run --file HandleLifetimes.cs -- SOURCE DESTINATION
byte[] image = File.ReadAllBytes(args[0]);
if (HandleLifetimes.Mark(image) == 0)
{
    Console.Error.WriteLine($"{args[0]} has no method that calls TorchSharp.PInvoke.NativeMethods: its layout has changed.");
    return 1;
}

Directory.CreateDirectory(Path.GetDirectoryName(args[1])!);
File.WriteAllBytes(args[1], image);
return 0;

/// <summary>
/// Marks a TorchSharp so that its objects outlive the native calls that they are passed to. TorchSharp reads the address behind a <c>Scalar</c> or a tensor and
/// calls with it; from then on the optimising JIT counts the object as dead, so a collection started by another thread lets the finaliser free it under
/// the running operator, which then throws or computes with another number. In a method that is not optimised arguments and locals live to
/// its end: every method that calls native code gets that flag. The wrappers do nothing that optimising would speed up, and nothing else changes.
/// </summary>
internal static class HandleLifetimes
{
    private const byte Call = 0x28;
    private const byte NoInliningNoOptimization = 0x08 | 0x40;

    /// <summary>Sets the flags in the image of an assembly and returns the number of methods marked.</summary>
    public static int Mark(byte[] image)
    {
        using var file = new PEReader(new MemoryStream((byte[])image.Clone()));
        var metadata = file.GetMetadataReader();
        var native = metadata.TypeDefinitions.Select(metadata.GetTypeDefinition)
            .Where(type => metadata.GetString(type.Name) == "NativeMethods")
            .SelectMany(type => type.GetMethods())
            .Select(method => MetadataTokens.GetToken(method))
            .ToHashSet();
        int table = file.PEHeaders.MetadataStartOffset + metadata.GetTableMetadataOffset(TableIndex.MethodDef);
        int row = metadata.GetTableRowSize(TableIndex.MethodDef);
        int marked = 0;
        foreach (var handle in metadata.MethodDefinitions)
        {
            int address = metadata.GetMethodDefinition(handle).RelativeVirtualAddress;
            if (address != 0 && CallsAny(file.GetMethodBody(address).GetILBytes()!, native))
            {
                // A row begins with the four bytes of the address; the implementation flags follow.
                image[table + ((MetadataTokens.GetRowNumber(handle) - 1) * row) + 4] |= NoInliningNoOptimization;
                marked++;
            }
        }

        return marked;
    }

    // Every place that could be a call is looked at, also inside an operand: one method too many that is marked does no harm.
    private static bool CallsAny(byte[] code, HashSet<int> targets)
    {
        for (int i = 0; i + 5 <= code.Length; i++)
        {
            if (code[i] == Call && targets.Contains(BitConverter.ToInt32(code, i + 1)))
            {
                return true;
            }
        }

        return false;
    }
}
