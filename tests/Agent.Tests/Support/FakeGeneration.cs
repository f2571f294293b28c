using Hearth.Protocol;

namespace Hearth.Agent.Tests.Support;

/// <summary>All that a fake coordinator was told of one request.</summary>
internal sealed class FakeGeneration(GenerationAssignment assignment)
{
    private readonly Kept<GenerationEvent> _events = new();

    public GenerationAssignment Assignment => assignment;

    public IReadOnlyList<GenerationEvent> Events => _events.All;

    public IReadOnlyList<GenerationToken> Tokens => [.. Events.OfType<GenerationToken>()];

    public GenerationEvent? Last => Events.LastOrDefault(e => e.IsLast);

    public bool Seen { get; set; }

    /// <summary>Somebody stopped it.</summary>
    public bool Over { get; set; }

    public int WritesAfterEnd { get; private set; }

    /// <returns>Whether the batch is taken in; one that came before changes nothing.</returns>
    public bool Take(GenerationBatch batch)
    {
        if (Over || batch.First > Events.Count + 1)
        {
            WritesAfterEnd++;
            return false;
        }

        foreach (var happened in batch.First == Events.Count + 1 ? batch.Events : [])
        {
            _events.Add(happened);
        }

        return true;
    }

    public string Describe() => $"request {assignment.Id}: {string.Join(", ", Events.Take(3))} … {Events.LastOrDefault()} ({Events.Count})";
}
