using System.Diagnostics;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>One request on this worker, from its assignment to its last event.</summary>
public sealed class GenerationJob(GenerationAssignment assignment, AttemptServices services)
{
    // Finer progress would be events that nobody sees.
    private const double LeastProgress = 0.05;
    private readonly GenerationOutput _output = new(assignment.Id, services);
    private readonly CancellationTokenSource _over = new();
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly Lock _gate = new();
    private GenerationLoading? _told;
    private double? _firstToken;
    private bool _ended;

    public GenerationAssignment Assignment => assignment;

    /// <summary>The model was loaded when the request came.</summary>
    public bool Warm { get; set; }

    /// <summary>The coordinator wants no more of it.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Falls silent.</summary>
    public void Silence() => _over.Cancel();

    /// <summary>Says what it is busy with, where that is news.</summary>
    public void Busy(string what, double fraction)
    {
        lock (_gate)
        {
            if (!_ended && (_told is not { } told || told.What != what || fraction - told.Fraction >= LeastProgress))
            {
                _output.Add(_told = new GenerationLoading(what, fraction));
            }
        }
    }

    /// <summary>Passes on what the trainer says; what comes after the last event is dropped.</summary>
    /// <returns>True when that was the last.</returns>
    public bool Take(GenerationEvent happened)
    {
        lock (_gate)
        {
            if (_ended)
            {
                return true;
            }

            _firstToken ??= happened is GenerationToken ? Stopwatch.GetElapsedTime(_began).TotalSeconds : null;
            _ended = happened.IsLast;
            _output.Add(happened is GenerationDone done
                ? done with { Statistics = done.Statistics with { FirstTokenSeconds = _firstToken ?? done.Statistics.FirstTokenSeconds, Warm = Warm } }
                : happened);
            return _ended;
        }
    }

    /// <summary>Sends until all is taken in, or nobody wants it.</summary>
    /// <returns>False when there is no sense in computing more.</returns>
    public async Task<bool> SendAsync()
    {
        try
        {
            return await _output.RunAsync(_over.Token);
        }
        catch (OperationCanceledException) when (_over.IsCancellationRequested)
        {
            return false;
        }
    }
}
