namespace Hearth.Runs;

/// <summary>Which parameters of an <c>adamw8bit</c> run keep their moments as 8-bit codes, and in how many bytes.</summary>
public static class EightBitMoments
{
    /// <summary>Neighbouring elements that share one scale.</summary>
    public const long BlockSize = 256;

    /// <summary>Smaller tensors keep moments in full: they save nothing and are the sensitive ones (norms, biases).</summary>
    public const long LeastElements = 4096;

    private const long ScaleBytes = 4;

    /// <summary>
    /// True for large tensors, save embedding tables unless <see cref="OptimizerSpec.EmbedState"/> says so (stable embeddings,
    /// arXiv 2110.02861 §2.3), and save those whose untouched rows must keep their moments exactly.
    /// </summary>
    public static bool Hold(ParameterShape parameter, OptimizerSpec optimizer) =>
        parameter.Elements >= LeastElements
        && !parameter.SkipsEmptyRows
        && (!parameter.LooksUp || optimizer.EmbedState == "8bit");

    public static long Blocks(long count) => (count + BlockSize - 1) / BlockSize;

    /// <summary>Of both moments: a code an element and a scale a block each.</summary>
    public static long Bytes(long count) => 2 * (count + (ScaleBytes * Blocks(count)));
}
