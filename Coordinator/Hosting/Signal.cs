namespace Hearth.Coordinator.Hosting;

/// <summary>
/// Wakes everybody who waits. Take <see cref="Next"/> before looking at the state and await it after: a pulse in between
/// is then not missed.
/// </summary>
public sealed class Signal
{
    private TaskCompletionSource _next = New();

    /// <summary>Completes at the next pulse.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public void Pulse() => Interlocked.Exchange(ref _next, New()).SetResult();

    /// <summary>Waits for the given pulse, at most so long. A time-out is no error.</summary>
    /// <exception cref="OperationCanceledException">When <paramref name="stop"/> was asked for.</exception>
    public static async Task WaitAsync(Task pulse, TimeSpan most, TimeProvider clock, CancellationToken stop)
    {
        try
        {
            await pulse.WaitAsync(most, clock, stop);
        }
        catch (TimeoutException)
        {
            // The caller looks again.
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
