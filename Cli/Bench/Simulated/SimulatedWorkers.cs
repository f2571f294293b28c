using System.Collections.Concurrent;
using System.Globalization;

namespace Hearth.Cli.Bench.Simulated;

/// <summary>
/// Workers that speak the real protocol and train nothing: each reports every attempt as running, does with it what <see cref="Training"/> says, and
/// goes on at the next coordinator when one does not answer.
/// </summary>
internal sealed class SimulatedWorkers : IAsyncDisposable
{
    private const string TokenPrefix = "hth_simulated_";

    // Longer than a sync is held, and short enough to be back elsewhere before a lease of ten seconds ends.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false }) { Timeout = Patience };
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Guid, Guid> _runs = new();
    private readonly IReadOnlyList<Uri> _coordinators;
    private readonly Training _training;
    private readonly Task[] _loops;
    private int _assignedTwice;

    /// <param name="coordinators">Their addresses; workers start spread over them.</param>
    /// <param name="count">How many, with the tokens that <see cref="Insert"/> gave them.</param>
    /// <param name="training">What they do with attempts.</param>
    public SimulatedWorkers(IReadOnlyList<Uri> coordinators, int count, Training training)
    {
        (_coordinators, _training) = (coordinators, training);
        _loops = [.. Enumerable.Range(0, count).Select(i => Task.Run(() => SpeakAsync(i)))];
    }

    /// <summary>Runs that came under a second lease, or to a second worker.</summary>
    public int AssignedTwice => Volatile.Read(ref _assignedTwice);

    /// <summary>SQL that puts workers into the pool; joining is limited to one in two seconds from an address.</summary>
    public static string Insert(int count) => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        insert into workers (id, name, token_sha256, agent_version, devices)
        select gen_random_uuid(), 'simulated-' || i, sha256(convert_to('{TokenPrefix}' || i, 'UTF8')), 'bench', '[]' from generate_series(0, {count - 1}) i
        """);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_loops);
        _http.Dispose();
        _stop.Dispose();
    }

    private async Task SpeakAsync(int index)
    {
        var worker = new SimulatedWorker(index, TokenPrefix + index.ToString(CultureInfo.InvariantCulture), _training);
        int at = index % _coordinators.Count;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                foreach (var assignment in await worker.SyncAsync(_http, _coordinators[at], _stop.Token))
                {
                    if (_runs.GetOrAdd(assignment.RunId, assignment.Lease.AttemptId) != assignment.Lease.AttemptId)
                    {
                        Interlocked.Increment(ref _assignedTwice);
                    }
                }

                await worker.MeasureAsync(_http, _coordinators[at], _stop.Token);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
            {
                at = (at + 1) % _coordinators.Count;
                await Task.Delay(100, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
