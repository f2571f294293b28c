using System.Diagnostics;
using Hearth.Api;
using Hearth.Cli.Client;

namespace Hearth.Cli.Pool;

/// <summary>Waits until a run is as a condition asks, and tells what it saw on the way.</summary>
internal sealed class RunWatch(ApiClient api, Guid run, Action<RunDetail>? seen = null)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    public Task<RunDetail> ReadAsync(CancellationToken stop) => api.GetAsync<RunDetail>($"runs/{run}", stop);

    /// <param name="what">What is waited for, for the message: "to finish".</param>
    /// <param name="condition">Ends the wait.</param>
    /// <param name="limit">After which it has failed.</param>
    /// <param name="stop">Ends the wait too.</param>
    /// <exception cref="CliException">The limit is over, or the coordinator stayed away that long.</exception>
    public async Task<RunDetail> UntilAsync(string what, Func<RunDetail, bool> condition, TimeSpan limit, CancellationToken stop)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            var detail = await ReadAsync(stop);
            seen?.Invoke(detail);
            if (condition(detail))
            {
                return detail;
            }

            if (Stopwatch.GetElapsedTime(began) > limit)
            {
                var at = detail.Summary;
                throw new CliException($"Waited {limit.TotalSeconds:0} s for {at.Name} {what}; it is {Text.Word(at.State)} at step {at.Step} of {at.TotalSteps}. {at.Reason}".TrimEnd());
            }

            await Task.Delay(Look, stop);
        }
    }
}

/// <summary>What a kill cost a run.</summary>
/// <param name="DetectSeconds">From the kill until the coordinator ended the attempt.</param>
/// <param name="ResumeSeconds">From the kill until the next attempt finished its first step.</param>
/// <param name="StepsRepeated">Steps done before the kill that were done again.</param>
internal sealed record Recovery(double DetectSeconds, double ResumeSeconds, long StepsRepeated)
{
    /// <summary>Kills processes with SIGKILL and waits until the run trains again.</summary>
    /// <exception cref="CliException">It does not, within the limit.</exception>
    public static async Task<Recovery> MeasureAsync(RunWatch watch, IReadOnlyList<ProcessMark> victims, TimeSpan limit, CancellationToken stop)
    {
        var before = await watch.ReadAsync(stop);
        int attempts = before.Attempts.Count;
        var killed = DateTimeOffset.UtcNow;
        foreach (var victim in victims)
        {
            Signals.Send(victim, Signals.Kill);
        }

        await watch.UntilAsync("to be seen as lost", r => Attempt(r, attempts).EndedAt is not null, limit, stop);
        var after = await watch.UntilAsync("to train again", r => r.Attempts.Count > attempts && Attempt(r, attempts + 1).FirstStepAt is not null, limit, stop);
        return Of(killed, Attempt(after, attempts), Attempt(after, attempts + 1));
    }

    /// <summary>Pure; all times are of this machine's clock.</summary>
    public static Recovery Of(DateTimeOffset killed, AttemptView lost, AttemptView next) => new(
        Math.Max(0, (lost.EndedAt!.Value - killed).TotalSeconds),
        (next.FirstStepAt!.Value - killed).TotalSeconds,
        Math.Max(0, lost.LastStep - next.FirstStep));

    private static AttemptView Attempt(RunDetail run, int number) => run.Attempts.Single(a => a.Number == number);
}
