using System.Runtime.CompilerServices;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Data;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>Reads an entry into documents, a piece at a time: a text is one document, a JSON-lines file has one per line, a Parquet file one per row.</summary>
public static class DocumentReader
{
    /// <param name="entry">What to read.</param>
    /// <param name="isLone">It is all that the import has.</param>
    /// <param name="stop">Ends the reading.</param>
    /// <exception cref="DatasetRefusedException">The file is damaged, or gives more than unpacking may.</exception>
    public static IAsyncEnumerable<SourceRow> ReadAsync(SourceEntry entry, bool isLone, CancellationToken stop) => entry.Form switch
    {
        SourceForm.JsonLines => LinesAsync(entry, stop),
        SourceForm.Parquet => RowsAsync(entry, stop),
        _ => TextPieces.ReadAsync(entry.Name, entry.Content, isLone, stop),
    };

    private static async IAsyncEnumerable<SourceRow> LinesAsync(SourceEntry entry, [EnumeratorCancellation] CancellationToken stop)
    {
        await foreach (var line in LineReader.ReadAsync(entry.Content, stop))
        {
            string name = $"{entry.Name}:{line.Number}";
            if (line.IsTooLong)
            {
                yield return SourceRow.Wrong(name, BadRowKind.TooLong, $"over {LineReader.LongestLine >> 20} MiB");
            }
            else if (line.Bytes.Span.ContainsAnyExcept(" \t\r"u8))
            {
                yield return RowReader.Read(name, line.Bytes);
            }
        }
    }

    private static async IAsyncEnumerable<SourceRow> RowsAsync(SourceEntry entry, [EnumeratorCancellation] CancellationToken stop)
    {
        long number = 0;
        await foreach (var row in ParquetRows.ReadAsync(entry.Name, entry.Content, stop))
        {
            yield return RowReader.Read($"{entry.Name}:{++number}", row);
        }
    }
}
