namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>Bytes that are to become part of a dataset: a file on disk, an upload, what an address gives.</summary>
/// <param name="Name">As documents and messages call it; its ending is a hint, what it is its content says.</param>
/// <param name="OpenAsync">Opens it for reading from its start; whoever asked disposes of the stream.</param>
public sealed record SourceFile(string Name, Func<CancellationToken, Task<Stream>> OpenAsync)
{
    /// <summary>Its length, where that is known before it is opened.</summary>
    public long? Bytes { get; init; }

    /// <summary>One that needs no waiting to be opened.</summary>
    public SourceFile(string name, Func<Stream> open) : this(name, _ => Task.FromResult(open()))
    {
    }
}

/// <summary>How an entry is read.</summary>
public enum SourceForm
{
    /// <summary>One text.</summary>
    Text,

    /// <summary>A JSON object per line.</summary>
    JsonLines,

    /// <summary>Rows of a Parquet file; its stream can seek.</summary>
    Parquet,
}

/// <summary>One file after all wrappings are off. Its content is read before the next entry is asked for, or not at all.</summary>
/// <param name="Name">Its file's name, and behind it its place in archives, with slashes between.</param>
/// <param name="Form">How it is read.</param>
/// <param name="Content">Its bytes.</param>
/// <param name="IsAlone">It is all that its file holds: not one of many in an archive.</param>
public sealed record SourceEntry(string Name, SourceForm Form, Stream Content, bool IsAlone);
