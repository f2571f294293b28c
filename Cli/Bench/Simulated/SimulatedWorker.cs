using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Cli.Bench.Simulated;

/// <summary>What a simulated worker does with an attempt once it was reported as running.</summary>
internal enum Training
{
    /// <summary>Goes on without end, and says no more of it.</summary>
    Endless,

    /// <summary>Ends it with success at once.</summary>
    None,

    /// <summary>Sends points as a trainer's agent does, and ends it after <see cref="SimulatedWorker.Batches"/> batches.</summary>
    Measured,
}

/// <summary>One worker with one card: what it holds, and what it says next.</summary>
internal sealed class SimulatedWorker(int index, string token, Training training)
{
    /// <summary>Of an attempt that is measured.</summary>
    public const int Batches = 24;

    private const int StepsOfABatch = 25;
    private const long CardBytes = 8L << 30;
    private static readonly TimeSpan BetweenBatches = TimeSpan.FromSeconds(5);
    private static readonly string[] Keys = ["loss", "lr", "grad_norm", "tokens", "tokens_per_second", "step_seconds", "gpu.utilization", "gpu.power"];
    private readonly DeviceInfo[] _devices = [new(0, DeviceKind.Simulated, "A card", $"simulated-{index}", CardBytes)];
    private readonly Dictionary<Guid, AttemptReport> _attempts = [];
    private readonly Dictionary<Guid, AttemptEnd> _ended = [];
    private AgentSession _session = new(Guid.NewGuid(), 0, "bench");
    private long _serial;
    private long _sentAt;

    /// <summary>Reports to a coordinator and takes its answer in.</summary>
    /// <returns>What it was assigned.</returns>
    /// <exception cref="HttpRequestException">It did not answer, or not with success.</exception>
    public async Task<IReadOnlyList<Assignment>> SyncAsync(HttpClient http, Uri coordinator, CancellationToken stop)
    {
        _session = _session with { Report = _session.Report + 1 };
        var request = new SyncRequest
        {
            AgentVersion = "bench", Session = _session, Devices = _devices, Attempts = [.. _attempts.Values], Ended = [.. _ended.Values], SeenSerial = _serial,
        };
        using var response = await SendAsync(http, new Uri(coordinator, "api/worker/sync"), JsonContent.Create(request, options: Json.Wire), stop);
        var answer = (await response.Content.ReadFromJsonAsync<SyncResponse>(Json.Wire, stop))!;
        _serial = answer.Serial;
        foreach (var acknowledged in answer.Acknowledged)
        {
            _ended.Remove(acknowledged);
        }

        foreach (var revoked in answer.Revoked)
        {
            _attempts.Remove(revoked);
        }

        if (training is Training.None)
        {
            _attempts.Values.ToList().ForEach(End);
        }

        foreach (var assignment in answer.Assignments)
        {
            _attempts[assignment.Lease.AttemptId] = new AttemptReport(assignment.Lease, AttemptState.Running, null, null, 1);
        }

        return answer.Assignments;
    }

    /// <summary>Sends the next points of each attempt when it is time for them.</summary>
    /// <exception cref="HttpRequestException">The coordinator did not answer, or not with success.</exception>
    public async Task MeasureAsync(HttpClient http, Uri coordinator, CancellationToken stop)
    {
        if (training is not Training.Measured || Stopwatch.GetElapsedTime(_sentAt) < BetweenBatches)
        {
            return;
        }

        _sentAt = Stopwatch.GetTimestamp();
        foreach (var (id, report) in _attempts.ToList())
        {
            long batch = (report.Step - 1) / StepsOfABatch;
            using var response = await SendAsync(http, new Uri(coordinator, "api/worker/metrics"), JsonContent.Create(Points(report, batch), options: Json.Wire), stop);
            _attempts[id] = report with { Step = report.Step + StepsOfABatch };
            if (batch + 1 == Batches)
            {
                End(_attempts[id]);
            }
        }
    }

    private static MetricsRequest Points(AttemptReport report, long batch)
    {
        long[] steps = [.. Enumerable.Range(0, StepsOfABatch).Select(i => report.Step + i)];
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        return new MetricsRequest(
            report.Lease,
            batch + 1,
            [.. Keys.Select((key, k) => new MetricChunk(key, steps, [.. steps.Select(s => k + (1f / s) + (0.01f * Random.Shared.NextSingle()))], [.. steps.Select(_ => now)]))],
            []);
    }

    private void End(AttemptReport report)
    {
        _attempts.Remove(report.Lease.AttemptId);
        _ended[report.Lease.AttemptId] = new AttemptEnd(report.Lease, AttemptState.Succeeded, report.Step, null, null, null);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpClient http, Uri address, HttpContent content, CancellationToken stop)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, address) { Content = content };
        message.Headers.Add(ProtocolVersion.Header, ProtocolVersion.Current.ToString(CultureInfo.InvariantCulture));
        message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        var response = await http.SendAsync(message, stop);
        response.EnsureSuccessStatusCode();
        return response;
    }
}
