using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Cli.Bench.Takeover;

/// <summary>
/// Workers that speak the real protocol and train nothing: each has one card, reports every attempt as running, and goes on at the next
/// coordinator when one does not answer.
/// </summary>
internal sealed class SimulatedWorkers : IAsyncDisposable
{
    /// <summary>Of each worker's card.</summary>
    private const long CardBytes = 8L << 30;

    // Longer than a sync is held, and short enough to be back elsewhere before a lease of ten seconds ends.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false }) { Timeout = Patience };
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Guid, Guid> _runs = new();
    private readonly IReadOnlyList<Uri> _coordinators;
    private readonly Task[] _loops;
    private int _assignedTwice;

    /// <param name="coordinators">Their addresses; workers start spread over them.</param>
    /// <param name="count">How many, with the tokens that <see cref="Insert"/> gave them.</param>
    public SimulatedWorkers(IReadOnlyList<Uri> coordinators, int count)
    {
        _coordinators = coordinators;
        _loops = [.. Enumerable.Range(0, count).Select(i => Task.Run(() => SpeakAsync(i)))];
    }

    /// <summary>Runs that came under a second lease, or to a second worker.</summary>
    public int AssignedTwice => Volatile.Read(ref _assignedTwice);

    /// <summary>SQL that puts workers into the pool; joining is limited to one in two seconds from an address.</summary>
    public static string Insert(int count) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
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

    private const string TokenPrefix = "hth_simulated_";

    private async Task SpeakAsync(int index)
    {
        DeviceInfo[] devices = [new(0, DeviceKind.Simulated, "A card", $"simulated-{index}", CardBytes)];
        var attempts = new Dictionary<Guid, AttemptReport>();
        int at = index % _coordinators.Count;
        long serial = 0;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var request = new SyncRequest { AgentVersion = "bench", Devices = devices, Attempts = [.. attempts.Values], SeenSerial = serial };
                using var message = new HttpRequestMessage(HttpMethod.Post, new Uri(_coordinators[at], "api/worker/sync")) { Content = JsonContent.Create(request, options: Json.Wire) };
                message.Headers.Add(ProtocolVersion.Header, ProtocolVersion.Current.ToString(System.Globalization.CultureInfo.InvariantCulture));
                message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", TokenPrefix + index.ToString(System.Globalization.CultureInfo.InvariantCulture));
                using var response = await _http.SendAsync(message, _stop.Token);
                response.EnsureSuccessStatusCode();
                var answer = (await response.Content.ReadFromJsonAsync<SyncResponse>(Json.Wire, _stop.Token))!;
                serial = answer.Serial;
                Take(answer, attempts);
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

    private void Take(SyncResponse answer, Dictionary<Guid, AttemptReport> attempts)
    {
        foreach (var revoked in answer.Revoked)
        {
            attempts.Remove(revoked);
        }

        foreach (var assignment in answer.Assignments)
        {
            if (_runs.GetOrAdd(assignment.RunId, assignment.Lease.AttemptId) != assignment.Lease.AttemptId)
            {
                Interlocked.Increment(ref _assignedTwice);
            }

            attempts[assignment.Lease.AttemptId] = new AttemptReport(assignment.Lease, AttemptState.Running, null, null, 1);
        }
    }
}
