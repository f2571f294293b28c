using Hearth.Models;

namespace Hearth.Training.Data;

/// <summary>Rows of one length out of a shard. Which documents stand in row n is a function of the shard alone.</summary>
internal interface IRowSource
{
    /// <summary>Rows that there are.</summary>
    long Count { get; }

    /// <param name="rows">How many to read, B.</param>
    /// <param name="place">Which row of the source comes in place 0 to B − 1.</param>
    TrainingRows Read(int rows, Func<int, long> place);
}
