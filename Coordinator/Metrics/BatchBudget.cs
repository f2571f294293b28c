using Hearth.Protocol;
using MessagePack;
using MessagePack.Formatters;
using MessagePack.Resolvers;

namespace Hearth.Coordinator.Metrics;

/// <summary>
/// How formatters of one batch are found, and how many entries all lists of it may have together. A list is made room for as soon as its length is read,
/// and a few kilobytes of LZ4 blocks hold millions of entries of a byte each. Belongs to the reading of one body.
/// </summary>
internal sealed class BatchBudget : IFormatterResolver
{
    /// <summary>More than a batch that <see cref="BatchRules"/> takes can have, so that a batch that is only somewhat too large is told which of its fields is.</summary>
    internal const int MostValues = 1 << 20;

    private int _left = MostValues;

    public IMessagePackFormatter<T>? GetFormatter<T>() =>
        List<T, MetricChunk>() ?? List<T, SampleRecord>() ?? List<T, LogLine>() ?? List<T, long>() ?? List<T, float>() ?? StandardResolver.Instance.GetFormatter<T>();

    private IMessagePackFormatter<T>? List<T, TEntry>() => typeof(T) == typeof(IReadOnlyList<TEntry>) ? (IMessagePackFormatter<T>)(object)new Bounded<TEntry>(this) : null;

    private void Take(int count)
    {
        _left -= count;
        if (_left < 0)
        {
            throw new MessagePackSerializationException($"Its lists have more than {MostValues} entries together.");
        }
    }

    private sealed class Bounded<TEntry>(BatchBudget budget) : IMessagePackFormatter<IReadOnlyList<TEntry>?>
    {
        private static readonly InterfaceReadOnlyListFormatter<TEntry> Whole = new();

        public void Serialize(ref MessagePackWriter writer, IReadOnlyList<TEntry>? value, MessagePackSerializerOptions options) => Whole.Serialize(ref writer, value, options);

        public IReadOnlyList<TEntry>? Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options)
        {
            var ahead = reader.CreatePeekReader();
            if (!ahead.TryReadNil())
            {
                budget.Take(ahead.ReadArrayHeader());
            }

            return Whole.Deserialize(ref reader, options);
        }
    }
}
