using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Hearth.Runs;
using Parquet;
using Parquet.Data;
using Parquet.Schema;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>
/// Rows of a Parquet file as the JSON objects that a line of JSONL would have: the columns of texts that a dataset knows, and lists of messages. A row
/// group is in memory at a time, the others' columns are not read.
/// </summary>
internal static class ParquetRows
{
    private const long MostGroupBytes = 512L << 20;
    private static readonly string[] Texts = ["text", "instruction", "input", "output", "system"];
    private static readonly string[] Lists = ["messages", "conversations"];
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The rows; the memory of one is valid until the next is asked for.</summary>
    /// <exception cref="DatasetRefusedException">The file is damaged, has none of the columns, or a row group too large to be held.</exception>
    public static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(string name, Stream seekable, [EnumeratorCancellation] CancellationToken stop)
    {
        await using var reader = await GuardAsync(name, () => new ValueTask<ParquetReader>(ParquetReader.CreateAsync(seekable, leaveStreamOpen: true, cancellationToken: stop)));
        var fields = Known(name, reader.Schema);
        var line = new ArrayBufferWriter<byte>();
        await using var json = new Utf8JsonWriter(line, Relaxed);
        for (int group = 0; group < reader.RowGroupCount; group++)
        {
            using var rows = reader.OpenRowGroupReader(group);
            Bound(name, group, rows, fields);
            var columns = new List<Column>();
            foreach (var field in fields)
            {
                columns.Add(await GuardAsync(name, () => ReadColumnAsync(rows, field, stop)));
            }

            var parts = columns.GroupBy(c => c.Name).Select(g => (Name: g.Key, Columns: g.ToArray())).ToArray();
            for (int row = 0; row < rows.RowCount; row++)
            {
                line.ResetWrittenCount();
                json.Reset();
                Write(json, parts, row);
                await json.FlushAsync(stop);
                yield return line.WrittenMemory;
            }
        }
    }

    private static DataField[] Known(string name, ParquetSchema schema)
    {
        DataField[] known = [.. schema.DataFields.Where(f =>
            IsText(f) && (f.MaxRepetitionLevel == 0 ? f.Path.Length == 1 && Texts.Contains(f.Name) : f.MaxRepetitionLevel == 1 && Lists.Contains(f.Path.FirstPart)))];
        string has = Words.Shorten(string.Join(", ", schema.Fields.Select(f => f.Name)), 200);
        return known.Length > 0
            ? known
            : throw new DatasetRefusedException("files", name, "a column text, messages, conversations or instruction with output", $"{name} has the columns {has}. Allowed: a column text, messages, conversations or instruction with output.");
    }

    private static bool IsText(DataField field) => field.ClrType == typeof(string) || field.ClrType == typeof(ReadOnlyMemory<char>);

    private static void Bound(string name, int group, ParquetRowGroupReader rows, DataField[] fields)
    {
        long bytes = fields.Sum(f => rows.GetMetadata(f)?.MetaData?.TotalUncompressedSize ?? 0);
        if (bytes > MostGroupBytes || rows.RowCount > Array.MaxLength)
        {
            throw new DatasetRefusedException(
                "files", name, $"row groups of at most {Words.Number(MostGroupBytes)} bytes", $"{name} has {Words.Number(bytes)} bytes of text in its row group {group + 1}. Allowed: row groups of at most {Words.Number(MostGroupBytes)} bytes.");
        }
    }

    private static async ValueTask<Column> ReadColumnAsync(ParquetRowGroupReader rows, DataField field, CancellationToken stop)
    {
        using var raw = (RawColumnData<ReadOnlyMemory<char>>)await rows.ReadRawColumnDataBaseAsync(field, stop);
        bool isList = field.MaxRepetitionLevel > 0;
        return new Column(field.Path.FirstPart!, isList ? field.Name : null, Cells(raw, field, (int)rows.RowCount));
    }

    /// <summary>Values by row, each a list of one where the column is no list. Levels as Dremel has them (Melnik et al., 2010).</summary>
    private static List<string?>[] Cells(RawColumnData<ReadOnlyMemory<char>> raw, DataField field, int rows)
    {
        var cells = new List<string?>[rows];
        var values = raw.Values;
        var definitions = field.MaxDefinitionLevel > 0 ? raw.DefinitionLevels : default;
        var repetitions = field.MaxRepetitionLevel > 0 ? raw.RepetitionLevels : default;
        int row = -1, value = 0, count = definitions.IsEmpty ? values.Length : definitions.Length;
        for (int i = 0; i < count; i++)
        {
            if (repetitions.IsEmpty || repetitions[i] == 0)
            {
                row++;
                cells[row] = [];
            }

            int level = definitions.IsEmpty ? field.MaxDefinitionLevel : definitions[i];
            if (level == field.MaxDefinitionLevel)
            {
                cells[row].Add(values[value++].ToString());
            }
            else if (field.IsNullable && level == field.MaxDefinitionLevel - 1)
            {
                cells[row].Add(null);
            }
        }

        return cells;
    }

    private static void Write(Utf8JsonWriter json, (string Name, Column[] Columns)[] parts, int row)
    {
        json.WriteStartObject();
        foreach (var (name, columns) in parts)
        {
            if (columns[0].Member is null)
            {
                if (columns[0].Cells[row] is [{ } text, ..])
                {
                    json.WriteString(name, text);
                }

                continue;
            }

            json.WriteStartArray(name);
            for (int i = 0; i < columns.Max(c => c.Cells[row].Count); i++)
            {
                json.WriteStartObject();
                foreach (var column in columns)
                {
                    if (i < column.Cells[row].Count && column.Cells[row][i] is { } text)
                    {
                        json.WriteString(column.Member!, text);
                    }
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    // What a wrong file makes the library throw is not told by its documentation, so that all but our own and a stop count as damage.
    private static async ValueTask<T> GuardAsync<T>(string name, Func<ValueTask<T>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception e) when (e is not (DatasetRefusedException or OperationCanceledException or OutOfMemoryException))
        {
            throw MeteredStream.Damaged(name, e);
        }
    }

    /// <param name="Name">Of the field in the object.</param>
    /// <param name="Member">Of the objects in its list; null where it is a text.</param>
    /// <param name="Cells">Values by row.</param>
    private sealed record Column(string Name, string? Member, List<string?>[] Cells);
}
