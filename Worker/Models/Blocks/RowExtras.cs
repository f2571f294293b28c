using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T text columns, C classes.
namespace Hearth.Models.Blocks;

/// <summary>
/// What may come with a batch's text, by name: <c>image</c> [B,3,H,W] in [0,1], <c>has_image</c> [B] (absent = all rows), <c>lengths</c>
/// [B] text tokens before the pads (absent = T), <c>decision_pos</c> [B] index among the row's text tokens (−1 = none, absent = the last
/// one), <c>decision_label</c> [B], <c>class_weight</c> [C], <c>documents</c> [B,T] (which of a row's documents each token is of).
/// </summary>
public sealed class RowExtras(IReadOnlyDictionary<string, Tensor> values)
{
    public static RowExtras None { get; } = new(new Dictionary<string, Tensor>());

    /// <summary>Which of a row's documents each token is of, [B,T]; null where rows are read as one text.</summary>
    public Tensor? Documents_BT => values.GetValueOrDefault("documents");

    public Tensor? Image => values.GetValueOrDefault("image");

    /// <summary>Factors [C] on the decision's classes; null = 1 each.</summary>
    public double[]? ClassWeight => values.GetValueOrDefault("class_weight")?.HostArray<double>();

    public bool[] HasImage(long batch) =>
        Image is null ? new bool[batch] : values.GetValueOrDefault("has_image")?.HostArray<long>().Select(v => v != 0).ToArray() ?? [.. Enumerable.Repeat(true, (int)batch)];

    /// <summary>Where the tokens stand; null where every row is text of the same length.</summary>
    /// <exception cref="ArgumentException">An image that the model cannot read or that comes with documents, or a length outside 1 to T.</exception>
    public RowLayout? Layout(Tensor ids_BT, PatchEncoder? patches)
    {
        long batch = ids_BT.size(0), time = ids_BT.size(1);
        if (Image is null && Documents_BT is null && !values.ContainsKey("lengths"))
        {
            return null;
        }

        if (Image is not null && Documents_BT is not null)
        {
            throw new ArgumentException("image and documents are both given. Allowed: one of them; a row with an image is one document.", nameof(ids_BT));
        }

        bool[] prefixed = HasImage(batch);
        int prefix = 0;
        if (prefixed.Contains(true))
        {
            prefix = patches?.Tokens(Image!) ?? throw new ArgumentException("image is given, and model.chart_patch_encoder_enabled is false. Allowed: true, or rows without an image.", nameof(ids_BT));
        }

        return new RowLayout(prefixed, [.. Lengths(batch, time).Select(n => (int)n)], prefix, (int)time) { Documents_BT = Documents_BT?.to(ids_BT.device) };
    }

    /// <summary>Text column [B] at which each row is pooled: its own choice (the first where it has none), the last token where nobody chose.</summary>
    public long[] PooledColumns(long batch, long time)
    {
        long[] last = [.. Lengths(batch, time).Select(n => n - 1)];
        long[] columns = values.GetValueOrDefault("decision_pos")?.HostArray<long>() ?? last;
        return [.. columns.Select((c, b) => c <= last[b] ? Math.Max(0, c) : throw new ArgumentException($"decision_pos[{b}] is {c}. Allowed: -1 to {last[b]}.", nameof(time)))];
    }

    /// <summary>Class of each row, −1 where it has none; null where no row has any.</summary>
    public long[]? DecisionTargets(long batch)
    {
        if (values.GetValueOrDefault("decision_label")?.HostArray<long>() is not { } labels)
        {
            return null;
        }

        long[]? columns = values.GetValueOrDefault("decision_pos")?.HostArray<long>();
        return [.. Enumerable.Range(0, (int)batch).Select(b => columns is not null && columns[b] < 0 ? -1 : labels[b])];
    }

    private long[] Lengths(long batch, long time)
    {
        long[] lengths = values.GetValueOrDefault("lengths")?.HostArray<long>() ?? [.. Enumerable.Repeat(time, (int)batch)];
        int wrong = Array.FindIndex(lengths, n => n < 1 || n > time);
        return wrong < 0 ? lengths : throw new ArgumentException($"lengths[{wrong}] is {lengths[wrong]}. Allowed: 1 to {time}.", nameof(time));
    }
}
