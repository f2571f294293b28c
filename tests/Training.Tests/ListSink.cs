using System.Collections.Concurrent;
using Hearth.Protocol;
using Hearth.Training.Protocol;

namespace Hearth.Training.Tests;

/// <summary>Keeps events and lets a test act on one as it comes, on the thread that reports it.</summary>
internal sealed class ListSink(Action<TrainerEvent>? onEvent = null) : IEventSink
{
    private readonly ConcurrentQueue<TrainerEvent> _events = new();

    public IReadOnlyList<TrainerEvent> All => [.. _events];

    public void Emit(TrainerEvent e)
    {
        _events.Enqueue(e);
        onEvent?.Invoke(e);
    }

    public IReadOnlyList<T> Of<T>()
        where T : TrainerEvent => [.. _events.OfType<T>()];
}
