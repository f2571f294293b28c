using System.Numerics;

namespace Hearth.Models.Blocks;

/// <summary>
/// Constant tables with a line per position, made for as many positions as a power of two and made anew when a longer row comes. An
/// earlier table stays for as long as these do: a recorded step reads it by its address, and a view of it may be at work elsewhere. All
/// of them together are smaller than the last.
/// </summary>
/// <param name="make">Tables of so many positions, of tensors that no scope frees.</param>
internal sealed class RowTables<T>(Func<long, T> make)
{
    private const long LeastRows = 64;
    private readonly SortedList<long, T> _made = [];

    /// <summary>The shortest tables made so far of at least so many positions.</summary>
    internal T For(long rows)
    {
        long known = _made.Keys.FirstOrDefault(made => made >= rows);
        if (known == 0)
        {
            known = Math.Max(LeastRows, (long)BitOperations.RoundUpToPowerOf2((ulong)rows));
            _made.Add(known, make(known));
        }

        return _made[known];
    }
}
