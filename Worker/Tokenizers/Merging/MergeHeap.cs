namespace Hearth.Tokenizers;

/// <summary>Places by rank, the lowest rank and in it the leftmost place first: a heap of four children a node over 8 bytes an entry.</summary>
internal sealed class MergeHeap(int capacity)
{
    private const int Children = 4;
    private ulong[] _entries = new ulong[capacity];
    private int _count;

    /// <summary>Adds an entry without putting it in order; <see cref="Order"/> must follow before the first is taken.</summary>
    internal void Append(int rank, int place)
    {
        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, (int)Math.Min(Array.MaxLength, Math.Max(8L, 2L * _count)));
        }

        _entries[_count++] = ((ulong)(uint)rank << 32) | (uint)place;
    }

    internal void Order()
    {
        for (int node = (_count - 2) / Children; node >= 0 && _count > 1; node--)
        {
            Sink(node, _entries[node]);
        }
    }

    internal void Add(int rank, int place)
    {
        Append(rank, place);
        ulong entry = _entries[_count - 1];
        int node = _count - 1;
        for (int parent = (node - 1) / Children; node > 0 && _entries[parent] > entry; parent = (node - 1) / Children)
        {
            _entries[node] = _entries[parent];
            node = parent;
        }

        _entries[node] = entry;
    }

    internal bool TryTake(out int rank, out int place)
    {
        if (_count == 0)
        {
            (rank, place) = (0, 0);
            return false;
        }

        ulong first = _entries[0], last = _entries[--_count];
        if (_count > 0)
        {
            Sink(0, last);
        }

        (rank, place) = ((int)(first >> 32), (int)first);
        return true;
    }

    private void Sink(int node, ulong entry)
    {
        while (true)
        {
            int child = (node * Children) + 1;
            if (child >= _count)
            {
                break;
            }

            int least = child;
            for (int other = child + 1; other < Math.Min(child + Children, _count); other++)
            {
                least = _entries[other] < _entries[least] ? other : least;
            }

            if (_entries[least] >= entry)
            {
                break;
            }

            _entries[node] = _entries[least];
            node = least;
        }

        _entries[node] = entry;
    }
}
