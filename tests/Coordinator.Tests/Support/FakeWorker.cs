using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using Hearth.Api;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Tests.Support;

/// <summary>One attempt at a fake worker.</summary>
public sealed class FakeAttempt(Assignment assignment)
{
    public Assignment Assignment { get; } = assignment;

    public AttemptState State { get; set; } = AttemptState.Starting;

    public long Step { get; set; }

    public ConcurrentQueue<AttemptCommand> Commands { get; } = new();
}

/// <summary>
/// A worker that speaks the real protocol and trains nothing: it takes up assignments, reports them as running from the next sync on,
/// obeys stop and kill, and falls silent when told to.
/// </summary>
public sealed class FakeWorker : IAsyncDisposable
{
    private readonly HttpClient _http;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<AttemptEnd> _ended = [];
    private readonly HashSet<Guid> _known = [];
    private readonly Lock _gate = new();
    private Task _loop = Task.CompletedTask;
    private long _serial;

    private FakeWorker(HttpClient http, JoinResponse joined, IReadOnlyList<DeviceInfo> devices)
    {
        (_http, Id, Name, Devices) = (http, joined.WorkerId, joined.Name, devices);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", joined.Token);
    }

    public Guid Id { get; }

    public string Name { get; }

    public string Token => _http.DefaultRequestHeaders.Authorization!.Parameter!;

    public IReadOnlyList<DeviceInfo> Devices { get; }

    /// <summary>Whether it stops attempts when told to.</summary>
    public bool Obeys { get; set; } = true;

    public ConcurrentDictionary<Guid, FakeAttempt> Attempts { get; } = new();

    /// <summary>Requests to checkpoints that it has taken up and was not told to end.</summary>
    public ConcurrentDictionary<Guid, GenerationAssignment> Generations { get; } = new();

    /// <summary>Memory that its host says to have free.</summary>
    public long? HostFreeBytes { get; set; }

    /// <summary>The version of assignments that it carries out.</summary>
    public int AssignmentVersion { get; set; } = Assignment.Version;

    public ConcurrentQueue<Guid> Revoked { get; } = new();

    public ConcurrentQueue<Guid> Acknowledged { get; } = new();

    /// <summary>Joins with a new code, and heartbeats from then on.</summary>
    public static async Task<FakeWorker> JoinAsync(CoordinatorProcess service, string name, double gigabytes = 8, int devices = 1, bool heartbeats = true)
    {
        using var answer = await service.Http.PostAsync(new Uri("/api/v1/workers/join-codes", UriKind.Relative), null);
        var code = (await answer.Content.ReadFromJsonAsync<JoinCodeView>(Json.Wire))!;
        DeviceInfo[] list = [.. Enumerable.Range(0, devices).Select(i => new DeviceInfo(i, DeviceKind.Simulated, "A card", $"{name}-{i}", (long)(gigabytes * (1L << 30))))];
        var http = new HttpClient { BaseAddress = service.Address };
        using var joined = await PostAsync(http, "/api/worker/join", new JoinRequest(code.Code, name, "test", list), Spoken);
        joined.EnsureSuccessStatusCode();
        var worker = new FakeWorker(http, (await joined.Content.ReadFromJsonAsync<JoinResponse>(Json.Wire))!, list);
        if (heartbeats)
        {
            worker.Speak();
        }

        return worker;
    }

    /// <summary>Goes on at another coordinator of the same database.</summary>
    public FakeWorker MoveTo(CoordinatorProcess service) =>
        new(new HttpClient { BaseAddress = service.Address }, new JoinResponse(Id, Name, Token), Devices);

    public void Speak() => _loop = Task.Run(LoopAsync);

    /// <summary>No word from now on, as a machine that lost its network.</summary>
    public async Task FallSilentAsync()
    {
        await _stop.CancelAsync();
        await _loop;
    }

    /// <summary>The only live attempt, once there is one in this state.</summary>
    public async Task<FakeAttempt> AttemptAsync(AttemptState state = AttemptState.Running)
    {
        await Eventually.TrueAsync(() => Task.FromResult(Attempts.Values.Any(a => a.State == state)), $"{Name} has an attempt that is {state}");
        return Attempts.Values.Single(a => a.State == state);
    }

    public void End(FakeAttempt attempt, AttemptState outcome, long step, string? code = null, string? message = null, string? trace = null, long? peak = null)
    {
        lock (_gate)
        {
            Attempts.TryRemove(attempt.Assignment.Lease.AttemptId, out _);
            _ended.Add(new AttemptEnd(attempt.Assignment.Lease, outcome, step, trace, code, message) { PeakMemoryBytes = peak });
        }
    }

    /// <summary>One sync as it is sent; null when the coordinator does not answer.</summary>
    public async Task<SyncResponse?> SyncAsync(IReadOnlyList<AttemptReport>? attempts = null, IReadOnlyList<AttemptEnd>? ended = null, int wait = 0)
    {
        var request = new SyncRequest
        {
            AgentVersion = "test",
            AssignmentVersion = AssignmentVersion,
            Devices = Devices,
            Readings = [.. Devices.Select(d => new DeviceReading(d.Index, TemperatureCelsius: 50))],
            Attempts = attempts ?? [],
            Ended = ended ?? [],
            Generations = [.. Generations.Keys],
            HostFreeBytes = HostFreeBytes,
            WaitMilliseconds = wait,
            SeenSerial = _serial,
        };
        try
        {
            using var response = await PostAsync(_http, "/api/worker/sync", request, Spoken, _stop.Token);
            if (!response.IsSuccessStatusCode)
            {
                return null;
            }

            var answer = (await response.Content.ReadFromJsonAsync<SyncResponse>(Json.Wire, _stop.Token))!;
            _serial = answer.Serial;
            return answer;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Uploads one file and commits it as the checkpoint of a step; its id.</summary>
    public async Task<Guid> CheckpointAsync(Lease lease, long step, string content)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(content);
        var file = new FileRef("model.safetensors", Convert.ToHexStringLower(SHA256.HashData(bytes)), bytes.Length);
        using var tickets = await PostAsync("/api/worker/uploads", new UploadsRequest(lease, [file]));
        using var put = await _http.PutAsync(new Uri((await tickets.Content.ReadFromJsonAsync<UploadsResponse>(Json.Wire))!.Tickets[0].Parts[0].Url, UriKind.RelativeOrAbsolute), new ByteArrayContent(bytes));
        put.EnsureSuccessStatusCode();
        var manifest = new CheckpointManifest { Step = step, Tokens = step, Trace = $"{step:x16}", TokenizerSha256 = new string('0', 64), Files = [file] };
        using var commit = await PostAsync("/api/worker/checkpoints", new CheckpointCommit(lease, manifest, 0, 0));
        commit.EnsureSuccessStatusCode();
        return (await commit.Content.ReadFromJsonAsync<CheckpointCommitted>(Json.Wire))!.CheckpointId;
    }

    public Task<HttpResponseMessage> PostAsync<T>(string path, T body) => PostAsync(_http, path, body, Spoken);

    /// <summary>As the other, speaking another version of the protocol; a null value = without a word of it.</summary>
    public Task<HttpResponseMessage> PostAsync<T>(string path, T body, (string Name, string? Value) header) => PostAsync(_http, path, body, header);

    public async ValueTask DisposeAsync()
    {
        await FallSilentAsync();
        _http.Dispose();
        _stop.Dispose();
    }

    private static (string Name, string? Value) Spoken => (ProtocolVersion.Header, ProtocolVersion.Current.ToString(CultureInfo.InvariantCulture));

    private static async Task<HttpResponseMessage> PostAsync<T>(HttpClient http, string path, T body, (string Name, string? Value) header, CancellationToken stop = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body, options: Json.Wire) };
        if (header.Value is not null)
        {
            request.Headers.Add(header.Name, header.Value);
        }

        return await http.SendAsync(request, stop);
    }

    private async Task LoopAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            AttemptReport[] reports;
            AttemptEnd[] ended;
            lock (_gate)
            {
                reports = [.. Attempts.Values.Select(a => new AttemptReport(a.Assignment.Lease, a.State, a.State == AttemptState.Starting ? "tokenising" : null, null, a.Step))];
                ended = [.. _ended];
            }

            try
            {
                if (await SyncAsync(reports, ended, 400) is { } answer)
                {
                    Take(answer, reports);
                }
                else
                {
                    await Task.Delay(50, _stop.Token);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void Take(SyncResponse answer, AttemptReport[] reports)
    {
        lock (_gate)
        {
            _ended.RemoveAll(e => answer.Acknowledged.Contains(e.Lease.AttemptId));
            foreach (var revoked in answer.Revoked)
            {
                Attempts.TryRemove(revoked, out _);
                Revoked.Enqueue(revoked);
            }
        }

        foreach (var acknowledged in answer.Acknowledged)
        {
            Acknowledged.Enqueue(acknowledged);
        }

        foreach (var report in reports.Where(r => r.State == AttemptState.Starting))
        {
            if (Attempts.TryGetValue(report.Lease.AttemptId, out var attempt))
            {
                (attempt.State, attempt.Step) = (AttemptState.Running, attempt.Step + 1);
            }
        }

        foreach (var command in answer.Commands)
        {
            if (Attempts.TryGetValue(command.AttemptId, out var attempt) && attempt.Commands.All(c => c.Id != command.Id))
            {
                attempt.Commands.Enqueue(command);
                if (Obeys && command.Kind is AttemptCommandKind.Stop or AttemptCommandKind.Kill)
                {
                    End(attempt, AttemptState.Stopped, attempt.Step);
                }
            }
        }

        foreach (var asked in answer.Generations.Where(g => _known.Add(g.Id)))
        {
            Generations[asked.Id] = asked;
        }

        foreach (var over in answer.EndedGenerations)
        {
            Generations.TryRemove(over, out _);
        }

        foreach (var assignment in answer.Assignments.Where(a => _known.Add(a.Lease.AttemptId)))
        {
            Attempts[assignment.Lease.AttemptId] = new FakeAttempt(assignment);
        }
    }
}
