using Npgsql;

namespace Hearth.Coordinator.Database;

/// <summary>
/// Small writes of many callers as one statement. A write that comes alone goes at once; those that come while one is under way go together when it
/// is done, so nobody waits for anything but the database, and the busier that is, the more share a statement.
/// </summary>
/// <typeparam name="TWrite">What one caller wants written.</typeparam>
/// <typeparam name="TOutcome">What became of it.</typeparam>
/// <param name="write">
/// Writes a batch. Its outcomes are in the batch's order; null for what could not be written with the others (somebody holds its row, say).
/// </param>
internal sealed class GroupedWrites<TWrite, TOutcome>(Func<IReadOnlyList<TWrite>, CancellationToken, Task<IReadOnlyList<TOutcome?>>> write)
    where TOutcome : class
{
    // More would only make one statement long.
    private const int MostTogether = 500;

    private static readonly TimeSpan LongestWrite = TimeSpan.FromSeconds(10);
    private readonly Lock _gate = new();
    private readonly Queue<(TWrite Write, TaskCompletionSource<TOutcome?> Done)> _waiting = new();
    private bool _busy;

    /// <returns>What became of it; null when it was not written and its caller is to write it alone, which tells what is wrong with it.</returns>
    /// <exception cref="OperationCanceledException">The caller went; it may be written all the same.</exception>
    public Task<TOutcome?> AddAsync(TWrite item, CancellationToken stop)
    {
        var done = new TaskCompletionSource<TOutcome?>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _waiting.Enqueue((item, done));
            if (!_busy)
            {
                _busy = true;
                _ = Task.Run(DrainAsync, CancellationToken.None);
            }
        }

        return done.Task.WaitAsync(stop);
    }

    private async Task DrainAsync()
    {
        while (true)
        {
            var batch = new List<(TWrite Write, TaskCompletionSource<TOutcome?> Done)>();
            lock (_gate)
            {
                while (batch.Count < MostTogether && _waiting.TryDequeue(out var next))
                {
                    batch.Add(next);
                }

                if (batch.Count == 0)
                {
                    _busy = false;
                    return;
                }
            }

            await WriteAsync(batch);
        }
    }

    private async Task WriteAsync(List<(TWrite Write, TaskCompletionSource<TOutcome?> Done)> batch)
    {
        using var limit = new CancellationTokenSource(LongestWrite);
        try
        {
            var outcomes = await write([.. batch.Select(b => b.Write)], limit.Token);
            for (int i = 0; i < batch.Count; i++)
            {
                batch[i].Done.SetResult(outcomes[i]);
            }
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            // One that the database cannot take must not fail the others: each is told to try alone.
            batch.ForEach(b => b.Done.TrySetResult(null));
        }
        catch (Exception e)
        {
            batch.ForEach(b => b.Done.TrySetException(e));
        }
    }
}
