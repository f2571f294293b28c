using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Agent;

/// <summary>What a trainer has said so far. Written by the pump of its output, read by the sync loop.</summary>
public sealed class AttemptProgress
{
    private readonly Lock _gate = new();
    private AttemptState _state = AttemptState.Starting;
    private string? _what = "starting";
    private double? _fraction;
    private long _step;
    private string? _trace;
    private LastEvent? _lastWord;
    private bool _tellsMemory;
    private bool _stepped;

    public long Step => Locked(() => _step);
    public string? Trace => Locked(() => _trace);

    /// <summary>True once this attempt finished a step of its own.</summary>
    public bool HasStepped => Locked(() => _stepped);

    /// <summary>The last of done, stopped and failed.</summary>
    public LastEvent? LastWord => Locked(() => _lastWord);

    /// <summary>True once the trainer reported its own memory, which then counts instead of the card's.</summary>
    public bool TellsMemory => Locked(() => _tellsMemory);

    /// <summary>Before the trainer runs: what is being brought, and how far.</summary>
    public void Starting(string what, double fraction) => Locked(() => (_what, _fraction) = (what, fraction));

    /// <summary>After the trainer is gone: what is still being done, or waited for.</summary>
    public void Finishing(string what) => Locked(() => (_state, _what, _fraction) = (AttemptState.Stopping, what, null));

    /// <returns>True when the state changed, which the coordinator should hear of at once.</returns>
    public bool Take(TrainerEvent happened) => Locked(() =>
    {
        var before = _state;
        switch (happened)
        {
            case StartingEvent e:
                (_what, _fraction) = (e.What, e.Fraction);
                break;
            case StartedEvent e:
                (_state, _what, _fraction, _step, _trace) = (AttemptState.Running, null, null, e.Step, e.Trace);
                break;
            case StepEvent e:
                (_step, _trace, _stepped) = (e.Step, e.Trace, true);
                _tellsMemory |= e.MemoryBytes is not null;
                break;
            case SkippedEvent e:
                (_step, _trace) = (e.Step, e.Trace);
                break;
            case LastEvent e:
                _lastWord = e;
                break;
        }

        return _state != before;
    });

    public AttemptReport Report(Lease lease, bool stopping) =>
        Locked(() => new AttemptReport(lease, stopping ? AttemptState.Stopping : _state, _what, _fraction, _step));

    private T Locked<T>(Func<T> read)
    {
        lock (_gate)
        {
            return read();
        }
    }
}
