using System.Globalization;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Blobs;
using Hearth.Data;
using Hearth.Protocol;

namespace Hearth.Coordinator.Datasets;

/// <summary>Reads a dataset's blob a page at a time, for people: of long documents the beginning. A cursor is the place of a line in the blob.</summary>
public sealed class DatasetRowReader(IObjectStore store)
{
    public const int UsualRows = 20;
    public const int MostRows = 100;
    private const int MostLetters = 4000;
    private const int MostTurns = 20;
    private const int MostTurnLetters = 1000;

    /// <returns>The rows; null where the cursor is none.</returns>
    /// <exception cref="StoreAwayException">The store is not there.</exception>
    public async Task<DatasetRows?> ReadAsync(FileRef blob, string cursor, int limit, CancellationToken stop)
    {
        if (!long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out long at) || at > blob.Bytes)
        {
            return null;
        }

        await using var content = await store.GetAsync(blob.Sha256, stop) ?? throw new StoreAwayException($"The store has lost the blob {blob.Sha256} of the dataset.");
        if (at > 0 && !await FindLineAsync(content, at, stop))
        {
            return null;
        }

        var rows = new List<DatasetRow>();
        long next = at;
        await foreach (var line in LineReader.ReadAsync(content, stop))
        {
            rows.Add(RowOf(line));
            next = at + line.Next;
            if (rows.Count == limit)
            {
                break;
            }
        }

        return new DatasetRows(rows, next < blob.Bytes ? next.ToString(CultureInfo.InvariantCulture) : null);
    }

    // Goes to a place where a line begins. A store that cannot begin in the middle is read up to it.
    private static async Task<bool> FindLineAsync(Stream content, long at, CancellationToken stop)
    {
        byte[] buffer = new byte[1 << 16];
        if (content.CanSeek)
        {
            content.Position = at - 1;
        }
        else
        {
            for (long left = at - 1; left > 0;)
            {
                int n = await content.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), stop);
                if (n == 0)
                {
                    return false;
                }

                left -= n;
            }
        }

        return await content.ReadAsync(buffer.AsMemory(0, 1), stop) == 1 && buffer[0] == '\n';
    }

    private static DatasetRow RowOf(SourceLine line)
    {
        if (line.IsTooLong)
        {
            return new DatasetRow { Name = $"a document of more than {LineReader.LongestLine >> 20} MiB", Characters = line.Bytes.Length, IsCut = true };
        }

        using var json = JsonDocument.Parse(line.Bytes);
        var row = json.RootElement;
        _ = RowMetadata.Read(row, out var metadata);
        string name = row.GetProperty("name").GetString()!;
        if (ChatRow.Is(row) && ChatRow.Read(row, out var turns) is null)
        {
            return new DatasetRow
            {
                Name = name,
                Turns = [.. turns!.Take(MostTurns).Select(t => new DatasetTurn(t.Role, Beginning(t.Content, MostTurnLetters)))],
                Characters = turns!.Sum(t => (long)t.Content.Length),
                IsCut = turns!.Count > MostTurns || turns.Any(t => t.Content.Length > MostTurnLetters),
                DecisionPos = metadata.DecisionPos,
                DecisionLabel = metadata.DecisionLabel,
            };
        }

        string text = row.GetProperty("text").GetString()!;
        return new DatasetRow
        {
            Name = name,
            Text = Beginning(text, MostLetters),
            Characters = text.Length,
            IsCut = text.Length > MostLetters,
            DecisionPos = metadata.DecisionPos,
            DecisionLabel = metadata.DecisionLabel,
        };
    }

    // A pair of surrogates stays together.
    private static string Beginning(string text, int most) => text.Length <= most ? text : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];
}
