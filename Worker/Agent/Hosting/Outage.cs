using System.Diagnostics;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>A stretch without an answer of the coordinator: told once when it begins and once when it ends.</summary>
public sealed class Outage(AttemptServices services)
{
    private readonly Stopwatch _since = new();
    private int _failures;
    private string _reason = "";

    public bool IsOn => _failures > 0;

    /// <summary>What there is to report of it; null when there is none.</summary>
    public CutOff? Report => _failures > 0 ? new CutOff(_since.Elapsed.TotalSeconds, DeadLetters.OneLine(_reason)) : null;

    /// <returns>How long to wait before the next try.</returns>
    public TimeSpan Pause(CoordinatorException e)
    {
        if (++_failures == 1)
        {
            _since.Restart();
        }

        // Told anew when the cause is another: a network that comes back with a refusal, say.
        if (_reason != e.Message)
        {
            _reason = e.Message;
            services.Log.Warn($"{e.Message}; trainers go on, trying again until it answers");
        }

        return services.Timings.Retry(_failures, e.IsRefusal);
    }

    public void Over()
    {
        if (_failures > 0)
        {
            services.Log.Info($"{services.Client.Address} answers again after {_since.Elapsed.TotalSeconds:0.0} s");
        }

        (_failures, _reason) = (0, "");
    }
}
