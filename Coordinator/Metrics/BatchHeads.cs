namespace Hearth.Coordinator.Metrics;

/// <summary>The greatest number of each stream's batches that was taken in. Batches come in the order of their numbers, so that a repeat is one no greater.</summary>
internal static class BatchHeads
{
    /// <summary>
    /// Behind an insert of attempt, stream and number into <c>batch_heads</c>, as part of the statement that stores a batch: gives a row where the batch is
    /// new, and none where it was taken before.
    /// </summary>
    internal const string WhereNew =
        """
        on conflict (attempt_id, stream) do update set last_sequence = excluded.last_sequence where batch_heads.last_sequence < excluded.last_sequence
        returning 1
        """;
}
