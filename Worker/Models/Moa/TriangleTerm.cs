using static TorchSharp.torch;

// B batch, T time, R = B·T rows, S triples of a row, H query heads, K key heads, N head width.
namespace Hearth.Models.Moa;

/// <summary>
/// How far queries and keys break the triangle inequality: with D(i,j) the distance of query i and key j before rotation,
/// the mean of relu(D(a,c) − D(a,b) − D(b,c)) over triples of positions, heads, rows, both attention paths and layers.
/// </summary>
/// <param name="drawn">Triples of every layer on the device, as <see cref="Draw"/> names them.</param>
/// <param name="learned">Whether gradients flow; else the term is only measured.</param>
internal sealed class TriangleTerm(IReadOnlyDictionary<string, Tensor> drawn, bool learned)
{
    private readonly List<Tensor> _means = [];
    private (Tensor Query, Tensor Key)? _index;

    /// <summary>The mean of each path so far.</summary>
    internal IReadOnlyList<Tensor> Means => _means;

    /// <summary>A layer's triples as rows of its queries and of its keys, by name.</summary>
    /// <param name="at">The run's seed and step, and the first row's index in the whole batch.</param>
    /// <param name="layer">From 0.</param>
    /// <param name="samples">S.</param>
    /// <param name="batch">B.</param>
    /// <param name="time">T.</param>
    /// <param name="device">Where they are read.</param>
    internal static IEnumerable<(string Name, Tensor Value)> Draw(TrainingStep at, int layer, int samples, long batch, long time, Device device)
    {
        // Three distances per triple: (a,c), (a,b), (b,c).
        long count = batch * samples;
        long[] query = new long[3 * count], key = new long[3 * count];
        for (long row = 0, n = 0; row < batch; row++)
        {
            for (int i = 0; i < samples; i++, n++)
            {
                long At(int corner) => (row * time) + Triples.Position(at, layer, at.FirstRow + row, i, corner, time);
                var (a, b, c) = (At(0), At(1), At(2));
                (query[n], key[n]) = (a, c);
                (query[count + n], key[count + n]) = (a, b);
                (query[(2 * count) + n], key[(2 * count) + n]) = (b, c);
            }
        }

        var (queryName, keyName) = Names(layer);
        return [(queryName, tensor(query).to(device)), (keyName, tensor(key).to(device))];
    }

    /// <summary>A term of the same rows that has gathered nothing and has entered <paramref name="layer"/>.</summary>
    internal TriangleTerm In(int layer)
    {
        var term = new TriangleTerm(drawn, learned);
        term.Enter(layer);
        return term;
    }

    internal void Gather(IEnumerable<Tensor> means) => _means.AddRange(means);

    /// <summary>Enters a layer with the triples that its both paths share.</summary>
    internal void Enter(int layer)
    {
        var (query, key) = Names(layer);
        _index = (drawn[query], drawn[key]);
    }

    /// <summary>Adds one path of the layer entered last.</summary>
    /// <param name="q_BTHN">Queries.</param>
    /// <param name="k_BTKN">Keys; one head is shared by all query heads.</param>
    /// <param name="scale_HN">Factor on every dimension; null = 1.</param>
    internal void Add(Tensor q_BTHN, Tensor k_BTKN, Tensor? scale_HN)
    {
        var (queryIndex, keyIndex) = _index ?? throw new InvalidOperationException("no layer was entered");
        if (!learned)
        {
            (q_BTHN, k_BTKN, scale_HN) = (q_BTHN.detach(), k_BTKN.detach(), scale_HN?.detach());
        }

        var gap = Wide(q_BTHN.flatten(0, 1).index_select(0, queryIndex)) - Wide(k_BTKN.flatten(0, 1).index_select(0, keyIndex));
        gap = scale_HN is null ? gap : gap * scale_HN;
        var distance = (gap.pow(2).sum(-1) + 1e-6).sqrt();
        long count = distance.size(0) / 3;
        var excess = distance.narrow(0, 0, count) - distance.narrow(0, count, count) - distance.narrow(0, 2 * count, count);
        _means.Add(excess.relu().mean());
    }

    internal Tensor Mean() => stack(_means).mean();

    private static (string Query, string Key) Names(int layer) => ($"triangle.{layer}.query", $"triangle.{layer}.key");

    private static Tensor Wide(Tensor x) => x.dtype == float64 ? x : x.to(float32);
}
