using static TorchSharp.torch;

// B batch, S columns (prefix and text), P columns of the prefix, T text columns.
namespace Hearth.Models.Blocks;

/// <summary>
/// Which columns of a batch hold tokens where rows differ: an image's prefix before the text, or pads in its place; pads behind a
/// short text; documents that do not see one another. Made on the host; tensors only where a row needs other positions or a mask.
/// </summary>
/// <param name="prefixed">Rows whose prefix is there.</param>
/// <param name="lengths">Text tokens of each row, 1 to T.</param>
/// <param name="prefix">P.</param>
/// <param name="text">T.</param>
public sealed class RowLayout(bool[] prefixed, int[] lengths, int prefix, int text)
{
    public int Prefix => prefix;

    /// <summary>Document of each text token, [B,T]; null where a row is one. A layout with a prefix has none.</summary>
    public Tensor? Documents_BT { get; init; }

    /// <summary>One more than the largest position.</summary>
    public long Limit => Before + prefix + text;

    /// <summary>False where causality and the column's index say all.</summary>
    private bool Mixed => prefix > 0 && prefixed.Contains(false);

    /// <summary>The layout of text columns alone, <paramref name="skipped"/> fewer at the end, as a module that many tokens ahead reads them.</summary>
    public RowLayout Text(int skipped) => new(prefixed, [.. lengths.Select(n => Math.Max(0, n - skipped))], 0, text - skipped)
    {
        Before = prefix,
        Documents_BT = Documents_BT?.narrow(1, 0, text - skipped),
    };

    /// <summary>Columns of the trunk's prefix that came before these columns and still count as positions.</summary>
    private int Before { get; init; }

    /// <summary>Places b·S + s of tokens.</summary>
    public long[] TokenRows() =>
        [.. Columns().Where(c => IsToken(c.Row, c.Column)).Select(c => ((long)c.Row * (prefix + text)) + c.Column)];

    /// <summary>Rotary positions [B,S]: tokens of the row before this one; null where that is the column.</summary>
    public Tensor? Positions(Device device)
    {
        if (!Mixed && Before == 0)
        {
            return null;
        }

        long[] positions = [.. Columns().Select(c => (long)Math.Max(0, c.Column - (prefixed[c.Row] ? -Before : prefix)))];
        return tensor(positions, lengths.Length, prefix + text).to(device);
    }

    /// <summary>
    /// Additive mask [B,1,S,S]: causal, within documents, pads before a text are seen by themselves alone; null where it is only causal.
    /// </summary>
    public Tensor? Mask(ScalarType dtype, Device device)
    {
        if (Documents_BT is not null)
        {
            var other_B1TT = Documents_BT.unsqueeze(2).eq(Documents_BT.unsqueeze(1)).eq(0).unsqueeze(1);
            return CausalAttention.Mask(text, text, zeros([], dtype, device)).masked_fill(other_B1TT, double.NegativeInfinity);
        }

        if (!Mixed)
        {
            return null;
        }

        int width = prefix + text;
        float[] mask = new float[lengths.Length * width * width];
        foreach (var (row, query) in Columns())
        {
            int first = prefixed[row] ? 0 : prefix;
            for (int key = 0; key < width; key++)
            {
                bool seen = key == query || (key < query && key >= first);
                mask[(((row * width) + query) * width) + key] = seen ? 0 : float.NegativeInfinity;
            }
        }

        return tensor(mask, lengths.Length, 1, width, width).to(dtype).to(device);
    }

    private bool IsToken(int row, int column) =>
        column < prefix ? prefixed[row] : column - prefix < lengths[row];

    private IEnumerable<(int Row, int Column)> Columns() =>
        from row in Enumerable.Range(0, lengths.Length) from column in Enumerable.Range(0, prefix + text) select (row, column);
}
