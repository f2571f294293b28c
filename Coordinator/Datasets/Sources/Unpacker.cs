using System.Runtime.CompilerServices;
using ZstdSharp;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>
/// Takes the wrappings off files, by what their bytes are: gzip and Zstandard, and in them or alone tar and zip, an archive in an archive at most.
/// Everything streams: nothing is written under a name of an archive, and only what must be read back and forth (zip, Parquet) goes
/// through a nameless temporary file. One import's worth: it counts over all files.
/// </summary>
/// <param name="limits">What unpacking may cost.</param>
/// <param name="scratch">Folder of temporary files; each is gone with its stream.</param>
public sealed class Unpacker(SourceLimits limits, string scratch)
{
    private const int MostArchives = 2;
    private const int MostPackings = 2;
    private const int CopyBytes = 1 << 17;
    private static readonly string[] LineEndings = [".jsonl", ".ndjson"];
    private static readonly string[] TextEndings = [".txt", ".md", ".markdown", ".rst", ".text"];
    private static readonly string[] PackedEndings = [".gz", ".tgz", ".zst", ".tzst", ".zip", ".tar", ".parquet"];
    private readonly UnpackBudget _budget = new(limits);
    private long _bytesRead;

    /// <summary>What was left out.</summary>
    public SkippedEntries Skipped { get; } = new();

    /// <summary>Bytes read of the files themselves so far; what is read twice counts twice.</summary>
    public long BytesRead => Interlocked.Read(ref _bytesRead);

    /// <summary>True for names of files that a folder's import takes.</summary>
    public static bool IsKnown(string name) => HasEnding(name, LineEndings) || HasEnding(name, TextEndings) || HasEnding(name, PackedEndings);

    /// <summary>For sentences: the endings that <see cref="IsKnown"/> knows.</summary>
    public static string KnownEndings => string.Join(", ", [.. TextEndings, .. LineEndings, .. PackedEndings]);

    /// <summary>The entries of all files, in the files' order and then in that of their archives. Read each before the next is asked for.</summary>
    /// <exception cref="DatasetRefusedException">A file is damaged, or a limit is reached; reading an entry throws it too.</exception>
    public async IAsyncEnumerable<SourceEntry> ReadAsync(IEnumerable<SourceFile> files, [EnumeratorCancellation] CancellationToken stop)
    {
        foreach (var file in files)
        {
            await using var stream = new MeteredStream(await file.OpenAsync(stop), file.Name, n => Interlocked.Add(ref _bytesRead, n));
            await foreach (var entry in OpenAsync(new Place(file.Name, file.Name, 0, 0), stream, stop))
            {
                yield return entry;
            }
        }
    }

    private async IAsyncEnumerable<SourceEntry> OpenAsync(Place place, Stream stream, [EnumeratorCancellation] CancellationToken stop)
    {
        var (head, whole) = await HeadStream.PeekAsync(stream, stop);
        var kind = ContentKinds.Of(head.Span);
        var inner = kind switch
        {
            ContentKind.Gzip or ContentKind.Zstandard => UnpackAsync(place, kind, whole, stop),
            ContentKind.Tar or ContentKind.Zip => OpenArchiveAsync(place, kind, whole, stop),
            _ => null,
        };
        if (inner is not null)
        {
            await foreach (var entry in inner)
            {
                yield return entry;
            }
        }
        else if (kind == ContentKind.Parquet)
        {
            await using var seekable = await SeekableAsync(whole, stop);
            yield return new SourceEntry(place.Name, SourceForm.Parquet, seekable, place.IsAlone);
        }
        else if (FormOf(place, kind, head.Span) is { } form)
        {
            yield return new SourceEntry(place.Name, form, whole, place.IsAlone);
        }
    }

    /// <summary>How a file without wrappings is read; null where it is left out, which is noted.</summary>
    private SourceForm? FormOf(Place place, ContentKind kind, ReadOnlySpan<byte> head)
    {
        if (HasEnding(place.Bare, LineEndings))
        {
            return SourceForm.JsonLines;
        }

        if (HasEnding(place.Bare, TextEndings))
        {
            return SourceForm.Text;
        }

        // A file that was named by itself may have any name; of a folder or an archive only texts are wanted.
        if (place.Archives == 0 && kind is ContentKind.Text or ContentKind.Empty)
        {
            return ContentKinds.BeginsWithObject(head) ? SourceForm.JsonLines : SourceForm.Text;
        }

        Skipped.Add(place.Archives == 0 ? "neither text nor a known format" : $"no text file by its name ({(Path.GetExtension(place.Bare) is { Length: > 0 and < 12 } ending ? ending : "no ending")})", place.Name);
        return null;
    }

    private async IAsyncEnumerable<SourceEntry> UnpackAsync(Place place, ContentKind kind, Stream packed, [EnumeratorCancellation] CancellationToken stop)
    {
        if (place.Packings == MostPackings)
        {
            Skipped.Add("packed more than twice over", place.Name);
            yield break;
        }

        long into = 0, outOf = 0;
        var counted = new MeteredStream(packed, place.Name, n => into += n);
        Stream unpacking = kind == ContentKind.Gzip ? new WholeGzip(counted) : new DecompressionStream(counted, CopyBytes);
        await using var unpacked = new MeteredStream(unpacking, place.Name, n => _budget.Unpacked(place.Name, n, outOf += n, into));
        await foreach (var entry in OpenAsync(place.Unpacked(), unpacked, stop))
        {
            yield return entry;
        }
    }

    private async IAsyncEnumerable<SourceEntry> OpenArchiveAsync(Place place, ContentKind kind, Stream stream, [EnumeratorCancellation] CancellationToken stop)
    {
        if (place.Archives == MostArchives)
        {
            Skipped.Add("archive in an archive in an archive", place.Name);
            yield break;
        }

        await using var seekable = kind == ContentKind.Zip ? await SeekableAsync(stream, stop) : null;
        var items = seekable is null ? TarItems.ReadAsync(place.Name, stream, stop) : ZipItems.ReadAsync(place.Name, seekable, _budget, stop);
        await foreach (var item in items)
        {
            _budget.Entry(place.Name);
            if ((EntryNames.Refusal(item.Name) ?? item.Refusal) is { } refusal)
            {
                Skipped.Add(refusal, $"{place.Name}/{item.Name}");
                continue;
            }

            await foreach (var entry in OpenAsync(place.In(item.Name), item.Content!, stop))
            {
                yield return entry;
            }
        }
    }

    private async Task<Stream> SeekableAsync(Stream stream, CancellationToken stop)
    {
        if (stream.CanSeek)
        {
            return stream;
        }

        var file = ScratchFile.Create(scratch);
        try
        {
            await stream.CopyToAsync(file, CopyBytes, stop);
            file.Position = 0;
            return file;
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    private static bool HasEnding(string name, string[] endings) => endings.Any(e => name.EndsWith(e, StringComparison.OrdinalIgnoreCase));

    /// <param name="Name">As it is told.</param>
    /// <param name="Bare">The name without the endings of packings that are off.</param>
    /// <param name="Archives">Archives around it.</param>
    /// <param name="Packings">Packings that came off, in the innermost archive.</param>
    private sealed record Place(string Name, string Bare, int Archives, int Packings)
    {
        public bool IsAlone => Archives == 0;

        public Place Unpacked() => this with { Bare = Path.GetExtension(Bare) is ".gz" or ".zst" ? Path.GetFileNameWithoutExtension(Bare) : Bare, Packings = Packings + 1 };

        public Place In(string entry) => new($"{Name}/{entry}", entry, Archives + 1, 0);
    }
}
