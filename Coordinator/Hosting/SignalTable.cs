namespace Hearth.Coordinator.Hosting;

/// <summary>Signals by id that are there only while somebody listens, for ids that come and go.</summary>
public sealed class SignalTable
{
    private readonly Dictionary<Guid, (Signal Signal, int Listeners)> _signals = [];
    private readonly Lock _gate = new();

    /// <summary>Listens until it is disposed of.</summary>
    public Listener Listen(Guid id)
    {
        lock (_gate)
        {
            var (signal, listeners) = _signals.TryGetValue(id, out var known) ? known : (new Signal(), 0);
            _signals[id] = (signal, listeners + 1);
            return new Listener(this, id, signal);
        }
    }

    public void Pulse(Guid id)
    {
        lock (_gate)
        {
            if (_signals.TryGetValue(id, out var known))
            {
                known.Signal.Pulse();
            }
        }
    }

    public void PulseAll()
    {
        lock (_gate)
        {
            foreach (var (signal, _) in _signals.Values)
            {
                signal.Pulse();
            }
        }
    }

    private void Leave(Guid id)
    {
        lock (_gate)
        {
            var (signal, listeners) = _signals[id];
            if (listeners == 1)
            {
                _signals.Remove(id);
            }
            else
            {
                _signals[id] = (signal, listeners - 1);
            }
        }
    }

    /// <summary>One who listens.</summary>
    public sealed class Listener : IDisposable
    {
        private readonly SignalTable _table;
        private readonly Guid _id;
        private readonly Signal _signal;

        internal Listener(SignalTable table, Guid id, Signal signal) => (_table, _id, _signal) = (table, id, signal);

        /// <summary>As <see cref="Signal.Next"/>.</summary>
        public Task Next => _signal.Next;

        public void Dispose() => _table.Leave(_id);
    }
}
