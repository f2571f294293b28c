using System.Runtime.InteropServices;
using Hearth.Coordinator.Datasets.Sources;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>
/// Which digests were seen, of any number: the newest are in memory, older ones in sorted runs in temporary files. A look into a run costs one reading of a
/// page, and a filter in front of it spares nearly all of those that would find nothing.
/// </summary>
/// <param name="scratch">Folder of the temporary files, which are gone with the set.</param>
/// <param name="most">Digests in memory before they become a run.</param>
public sealed class DigestSet(string scratch, int most = 1 << 21) : IDisposable
{
    private readonly HashSet<UInt128> _newest = [];
    private readonly List<Run> _runs = [];

    /// <returns>True when the digest is new, false when it was there.</returns>
    public bool Add(UInt128 digest)
    {
        if (_newest.Contains(digest) || _runs.Exists(r => r.Contains(digest)))
        {
            return false;
        }

        _newest.Add(digest);
        if (_newest.Count >= most)
        {
            _runs.Add(Run.Write(scratch, _newest));
            _newest.Clear();
        }

        return true;
    }

    public void Dispose() => _runs.ForEach(r => r.Dispose());

    /// <summary>Sorted digests in a file, with the first of each page and a Bloom filter (Bloom, 1970) in memory: 9.3 bits a digest, of which a tenth are for pages.</summary>
    private sealed class Run : IDisposable
    {
        private const int PerPage = 256;
        private const int BitsPerDigest = 8;
        private const int Size = 16;
        private readonly FileStream _file;
        private readonly UInt128[] _firsts;
        private readonly ulong[] _filter;
        private readonly UInt128[] _page = new UInt128[PerPage];
        private readonly int _count;

        private Run(FileStream file, UInt128[] sorted)
        {
            (_file, _count) = (file, sorted.Length);
            _firsts = [.. Enumerable.Range(0, (sorted.Length + PerPage - 1) / PerPage).Select(i => sorted[i * PerPage])];
            _filter = new ulong[(sorted.Length * BitsPerDigest / 64) + 1];
            foreach (var digest in sorted)
            {
                var (one, two) = Bits(digest);
                _filter[one >> 6] |= 1UL << (int)(one & 63);
                _filter[two >> 6] |= 1UL << (int)(two & 63);
            }
        }

        public static Run Write(string scratch, HashSet<UInt128> digests)
        {
            UInt128[] sorted = [.. digests];
            Array.Sort(sorted);
            var file = ScratchFile.Create(scratch);
            file.Write(MemoryMarshal.AsBytes<UInt128>(sorted));
            file.Flush();
            return new Run(file, sorted);
        }

        public bool Contains(UInt128 digest)
        {
            var (one, two) = Bits(digest);
            if ((_filter[one >> 6] >> (int)(one & 63) & _filter[two >> 6] >> (int)(two & 63) & 1) == 0)
            {
                return false;
            }

            int page = Array.BinarySearch(_firsts, digest);
            if (page >= 0)
            {
                return true;
            }

            page = ~page - 1;
            if (page < 0)
            {
                return false;
            }

            int count = Math.Min(PerPage, _count - (page * PerPage));
            var read = _page.AsSpan(0, count);
            var bytes = MemoryMarshal.AsBytes(read);
            for (int done = 0, n; done < bytes.Length; done += n)
            {
                n = RandomAccess.Read(_file.SafeFileHandle, bytes[done..], ((long)page * PerPage * Size) + done);
                if (n == 0)
                {
                    throw new EndOfStreamException("a temporary file of digests is shorter than it was written");
                }
            }

            return read.BinarySearch(digest) >= 0;
        }

        public void Dispose() => _file.Dispose();

        // A digest's halves are as good as two hashes.
        private (ulong One, ulong Two) Bits(UInt128 digest)
        {
            ulong bits = (ulong)_filter.Length * 64;
            return ((ulong)digest % bits, (ulong)(digest >> 64) % bits);
        }
    }
}
