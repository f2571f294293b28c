using System.Diagnostics;

namespace Hearth.Agent;

/// <summary>
/// Points and log lines that attempts of an earlier agent left on disk. They are sent before the first report says that those attempts are over, for
/// nothing is taken of them afterwards.
/// </summary>
public static class Leftovers
{
    /// <summary>Sends what is there, in its order. Returns once all is acknowledged, refused for good, or the time for it is over.</summary>
    public static async Task SendAsync(AttemptServices services, CancellationToken cancel)
    {
        foreach (var lease in services.Home.Unsent())
        {
            string work = services.Home.AttemptPath(lease);
            using var over = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            var output = new AttemptOutput(lease, services, work);
            output.Complete();
            var sending = output.RunAsync(over.Token);
            await PatienceAsync(sending, output, services, services.Timings.LongestDrain, over);
            try
            {
                await sending;
                services.Log.Info($"{lease.AttemptId:N}: sent {output.Sent} batches that an earlier agent left");
            }
            catch (CoordinatorException e) when (e.IsFenced)
            {
                services.Log.Warn($"{lease.AttemptId:N}: what an earlier agent left of it came too late: {e.Message}");
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                services.Log.Warn($"{lease.AttemptId:N}: not all that an earlier agent left of it could be sent in time");
            }
            catch (OperationCanceledException)
            {
                return;
            }

            AgentHome.Remove(work, services.Log);
        }
    }

    /// <summary>
    /// Ends sending when nothing more of it arrives: after <see cref="AgentTimings.LostDrain"/> without an acknowledged batch, and after <paramref name="longest"/>
    /// in all. Only time in which the coordinator answers counts, for without it the run could not move on anyway.
    /// </summary>
    internal static async Task PatienceAsync(Task sending, AttemptOutput output, AttemptServices services, TimeSpan longest, CancellationTokenSource over)
    {
        var (idle, spent, sent) = (TimeSpan.Zero, TimeSpan.Zero, output.Sent);
        while (!sending.IsCompleted && !over.IsCancellationRequested && idle < services.Timings.LostDrain && spent < longest)
        {
            long began = Stopwatch.GetTimestamp();
            await Task.WhenAny(sending, Task.Delay(services.Timings.Look, CancellationToken.None));
            if (services.Client.Answers)
            {
                var passed = Stopwatch.GetElapsedTime(began);
                (idle, spent, sent) = (output.Sent == sent ? idle + passed : TimeSpan.Zero, spent + passed, output.Sent);
            }
        }

        if (!sending.IsCompleted)
        {
            await over.CancelAsync();
        }
    }
}
