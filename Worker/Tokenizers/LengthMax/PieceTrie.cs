namespace Hearth.Tokenizers;

/// <summary>Pieces by their bytes; nodes lie in one table and children are found by (node, byte).</summary>
internal sealed class PieceTrie
{
    private const int None = -1;
    private readonly int[] _roots = new int[256];
    private readonly Dictionary<int, int> _children = [];
    private readonly List<int> _ids = [None];

    internal void Add(ReadOnlySpan<byte> piece, int id)
    {
        int node = 0;
        foreach (byte b in piece)
        {
            int next = Child(node, b);
            if (next == 0)
            {
                next = _ids.Count;
                _ids.Add(None);
                if (node == 0)
                {
                    _roots[b] = next;
                }
                else
                {
                    _children[(node << 8) | b] = next;
                }
            }

            node = next;
        }

        _ids[node] = id;
    }

    /// <summary>Bytes of the longest piece at the start of the text, and its id.</summary>
    internal int Longest(ReadOnlySpan<byte> text, out int id)
    {
        (id, int taken, int node) = (None, 0, 0);
        for (int i = 0; i < text.Length && (node = Child(node, text[i])) != 0; i++)
        {
            if (_ids[node] != None)
            {
                (id, taken) = (_ids[node], i + 1);
            }
        }

        return taken;
    }

    private int Child(int node, byte b) => node == 0 ? _roots[b] : _children.GetValueOrDefault((node << 8) | b);
}
