using System.Globalization;

namespace Hearth.Agent;

/// <summary>
/// Numbered batches in a folder, a file each, until they are acknowledged. What an agent leaves there the next one finds. It holds so many bytes at most:
/// then the oldest batches go, for the newest tell most of a run.
/// </summary>
public sealed class Spool
{
    /// <summary>Of one stream of one attempt: weeks without a coordinator at the usual pace.</summary>
    public const long MostBytes = 256L << 20;

    // What a file takes at least, whatever is in it.
    private const long Block = 4096;
    private const string Ending = ".batch";
    private readonly SortedDictionary<long, long> _sizes = [];
    private readonly Lock _gate = new();
    private readonly string _folder;
    private readonly long _most;
    private long _bytes;

    /// <param name="folder">Is made with the first batch.</param>
    /// <param name="most">Bytes that it holds.</param>
    public Spool(string folder, long most = MostBytes)
    {
        (_folder, _most) = (folder, most);
        foreach (var file in Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateFiles("*" + Ending) : [])
        {
            if (long.TryParse(Path.GetFileNameWithoutExtension(file.Name), NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            {
                Count(number, file.Length);
            }
        }
    }

    /// <summary>Numbers of what is there, in order.</summary>
    public IReadOnlyList<long> Numbers
    {
        get
        {
            lock (_gate)
            {
                return [.. _sizes.Keys];
            }
        }
    }

    /// <summary>Whether a folder holds batches of any stream.</summary>
    public static bool IsLeft(string folder) => Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*" + Ending, SearchOption.AllDirectories).Any();

    /// <summary>Keeps a batch; a reader sees it whole or not at all.</summary>
    /// <returns>Numbers of older ones that had to go.</returns>
    /// <exception cref="IOException">The disk does not take it.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder does not.</exception>
    public IReadOnlyList<long> Add(long number, byte[] bytes)
    {
        lock (_gate)
        {
            Directory.CreateDirectory(_folder);
            WholeFile.Write(At(number), bytes);
            Count(number, bytes.Length);
            var gone = new List<long>();
            while (_bytes > _most && _sizes.Count > 1)
            {
                gone.Add(_sizes.Keys.First());
                Drop(gone[^1]);
            }

            return gone;
        }
    }

    /// <summary>A batch's bytes; null when it had to go or cannot be read.</summary>
    public byte[]? Read(long number)
    {
        lock (_gate)
        {
            try
            {
                return _sizes.ContainsKey(number) ? File.ReadAllBytes(At(number)) : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }

    /// <summary>It was acknowledged, or will never be.</summary>
    /// <exception cref="IOException">Its file stays, and nothing else of it.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public void Remove(long number)
    {
        lock (_gate)
        {
            if (_sizes.ContainsKey(number))
            {
                Drop(number);
            }
        }
    }

    private void Count(long number, long length)
    {
        long size = Math.Max(Block, length);
        _bytes += size - _sizes.GetValueOrDefault(number);
        _sizes[number] = size;
    }

    private void Drop(long number)
    {
        _bytes -= _sizes[number];
        _sizes.Remove(number);
        File.Delete(At(number));
    }

    private string At(long number) => Path.Combine(_folder, number.ToString("D12", CultureInfo.InvariantCulture) + Ending);
}
