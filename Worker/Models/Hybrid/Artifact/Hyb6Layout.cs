namespace Hearth.Models.Hybrid.Artifact;

/// <summary>A broken, hostile or too large artifact; the message names the tensor or field.</summary>
public sealed class ArtifactException(string message) : Exception(message);

/// <summary>Where a tensor lies in the inflated body; offsets in bytes.</summary>
/// <param name="Offset">Of the int8 codes, or of the fp16 values.</param>
/// <param name="ScaleOffset">Of the fp16 scales, one per row; null for a tensor kept in fp16.</param>
public sealed record Hyb6Entry(string Name, IReadOnlyList<long> Shape, int Offset, int? ScaleOffset)
{
    public bool IsInt6 => ScaleOffset is not null;

    public int Count => (int)Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Rows of an int6 tensor, each with its own scale.</summary>
    public int Rows => (int)Shape[0];
}

/// <summary>
/// The body's order: all codes (int8, row-major), all row scales (fp16), all tensors kept in fp16, each in the plan's order. Pure.
/// </summary>
public sealed class Hyb6Layout
{
    /// <summary>A 16 MB file has at most 128 million bits, and no code takes less than one.</summary>
    public const int LargestBody = 8 * ArtifactEncoder.ByteLimit;

    private Hyb6Layout(IReadOnlyList<Hyb6Entry> entries, int bytes) => (Entries, Bytes) = (entries, bytes);

    /// <summary>In the plan's order.</summary>
    public IReadOnlyList<Hyb6Entry> Entries { get; }

    /// <summary>Length of the body.</summary>
    public int Bytes { get; }

    /// <exception cref="ArtifactException">The model is larger than any artifact.</exception>
    public static Hyb6Layout Of(HybridPlan plan)
    {
        bool Packed(TensorSpec t) => t.Shape.Count == 2 && t.Count > plan.Shape.QuantMinElems;
        var packed = plan.Tensors.Where(Packed).ToList();
        long codes = packed.Sum(t => t.Count), scales = packed.Sum(t => t.Shape[0]);
        long bytes = codes + (2 * scales) + (2 * plan.Tensors.Where(t => !Packed(t)).Sum(t => t.Count));
        if (bytes > LargestBody)
        {
            throw new ArtifactException($"config: a body of {bytes} bytes. Allowed: at most {LargestBody}.");
        }

        var entries = new List<Hyb6Entry>();
        int code = 0, scale = (int)codes, kept = (int)(codes + (2 * scales));
        foreach (var tensor in plan.Tensors)
        {
            if (Packed(tensor))
            {
                entries.Add(new Hyb6Entry(tensor.Name, tensor.Shape, code, scale));
                code += (int)tensor.Count;
                scale += 2 * (int)tensor.Shape[0];
            }
            else
            {
                entries.Add(new Hyb6Entry(tensor.Name, tensor.Shape, kept, null));
                kept += 2 * (int)tensor.Count;
            }
        }

        return new Hyb6Layout(entries, (int)bytes);
    }
}
