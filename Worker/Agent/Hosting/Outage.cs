using System.Diagnostics;

namespace Hearth.Agent;

/// <summary>A stretch without an answer of the coordinator: told once when it begins and once when it ends.</summary>
public sealed class Outage(AttemptServices services)
{
    private readonly Stopwatch _since = new();
    private int _failures;

    public bool IsOn => _failures > 0;

    /// <returns>How long to wait before the next try.</returns>
    public TimeSpan Pause(CoordinatorException e)
    {
        if (++_failures == 1)
        {
            _since.Restart();
            services.Log.Warn($"{e.Message}; trainers go on, trying again until it answers");
        }

        return services.Timings.Retry(_failures);
    }

    public void Over()
    {
        if (_failures > 0)
        {
            services.Log.Info($"{services.Client.Address} answers again after {_since.Elapsed.TotalSeconds:0.0} s");
        }

        _failures = 0;
    }
}
