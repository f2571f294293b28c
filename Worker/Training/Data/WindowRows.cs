using Hearth.Models;

namespace Hearth.Training.Data;

/// <summary>Windows of a stream of tokens; what is left over at the shard's end is no row.</summary>
/// <param name="shard">Of texts.</param>
/// <param name="length">Tokens of a row, T.</param>
/// <param name="stride">Tokens from the beginning of a row to that of the next: T, or T − 1 where rows share a token.</param>
/// <param name="masksDocuments">Whether rows say which document a token is of.</param>
internal sealed class WindowRows(Shard shard, int length, int stride, bool masksDocuments) : IRowSource
{
    public long Count => shard.Tokens < length ? 0 : ((shard.Tokens - length) / stride) + 1;

    public TrainingRows Read(int rows, Func<int, long> place)
    {
        int[] ids = new int[rows * length];
        int[]? documents = masksDocuments ? new int[ids.Length] : null;
        for (int row = 0; row < rows; row++)
        {
            long start = place(row) * stride;
            shard.Read(start, ids.AsSpan(row * length, length));
            if (documents is not null)
            {
                shard.Documents(start, documents.AsSpan(row * length, length));
            }
        }

        return new TrainingRows(ids, ids, length) { Documents = documents };
    }
}
