using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Tests.History;

/// <summary>
/// A worker of a storm: the real protocol, training that is a chain of hashes, and no patience with a coordinator that does not answer.
/// All that it is told goes into the history. It can be killed, which makes it forget, and frozen, after which it first writes and then asks.
/// </summary>
internal sealed class StormWorker : IAsyncDisposable
{
    private readonly HistoryRecorder _history;
    private readonly Func<int, Uri> _coordinator;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(4) };
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<Guid, Trained> _held = [];
    private readonly HashSet<Guid> _heard = [];
    private readonly List<AttemptEnd> _ends = [];
    private readonly Dictionary<Guid, Guid> _runs = [];
    private readonly DeviceInfo[] _devices;
    private readonly Random _random;
    private readonly Task _loop;
    private Guid _session = Guid.NewGuid();
    private long _report, _serial;
    private int _at;
    private volatile bool _killed;
    private TaskCompletionSource? _frozen;

    /// <param name="history">Where everything goes.</param>
    /// <param name="coordinator">Address by any number; another number, another coordinator.</param>
    /// <param name="id">In the pool.</param>
    /// <param name="token">Its credential.</param>
    /// <param name="seed">Of its moods.</param>
    internal StormWorker(HistoryRecorder history, Func<int, Uri> coordinator, Guid id, string token, int seed)
    {
        (_history, _coordinator, Id, _random, _at) = (history, coordinator, id, new Random(seed), seed);
        _http.DefaultRequestHeaders.Add(ProtocolVersion.Header, ProtocolVersion.Current.ToString(CultureInfo.InvariantCulture));
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        _devices = [.. Enumerable.Range(0, 2).Select(i => new DeviceInfo(i, DeviceKind.Simulated, "A card", $"{id:N}-{i}", 8L << 30))];
        _loop = Task.Run(LoopAsync);
    }

    internal Guid Id { get; }

    /// <summary>The process dies with its trainers and comes back at once, knowing nothing.</summary>
    internal void Kill() => _killed = true;

    internal void Freeze() => Interlocked.CompareExchange(ref _frozen, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), null);

    internal void Thaw() => Interlocked.Exchange(ref _frozen, null)?.SetResult();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Thaw();
        await _loop;
        _http.Dispose();
        _stop.Dispose();
    }

    private async Task LoopAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            if (_frozen is { } frozen)
            {
                await frozen.Task;
            }

            if (_killed)
            {
                Forget();
            }

            try
            {
                foreach (var attempt in _held.Values.ToArray())
                {
                    await TrainAsync(attempt);
                }

                await SyncAsync();
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or JsonException)
            {
                // Nobody there, or no answer worth the name: the next one.
                _at++;
                await Task.Delay(50, CancellationToken.None);
            }
        }
    }

    private void Forget()
    {
        _killed = false;
        foreach (var attempt in _held.Values.ToArray())
        {
            Release(attempt);
        }

        _ends.Clear();
        _heard.Clear();
        (_session, _report, _serial) = (Guid.NewGuid(), 0, 0);
    }

    private async Task SyncAsync()
    {
        var reports = _held.Values.Select(a => new AttemptReport(a.Lease, a.State is null ? AttemptState.Starting : AttemptState.Running, null, null, a.Step)).ToArray();
        var ends = _ends.ToArray();
        long began = HistoryRecorder.Now;
        using var response = await _http.PostAsJsonAsync(
            At("api/worker/sync"),
            new SyncRequest
            {
                AgentVersion = "storm", Devices = _devices, Attempts = reports, Ended = ends, WaitMilliseconds = 100, SeenSerial = _serial, Session = new AgentSession(_session, ++_report, "storm"),
            },
            Json.Wire,
            _stop.Token);
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"sync: {(int)response.StatusCode}", null, response.StatusCode);
        }

        var answer = (await response.Content.ReadFromJsonAsync<SyncResponse>(Json.Wire, _stop.Token))!;
        long done = HistoryRecorder.Now;
        _serial = answer.Serial;
        foreach (var end in ends.Where(e => answer.Acknowledged.Contains(e.Lease.AttemptId)))
        {
            _ends.Remove(end);
            _history.Add(new Ended(began, done, _runs[end.Lease.AttemptId], end.Lease, end.Outcome, end.Step, end.Trace!));
        }

        foreach (var report in reports)
        {
            var attempt = _held[report.Lease.AttemptId];
            if (answer.Revoked.Contains(report.Lease.AttemptId))
            {
                Release(attempt);
            }
            else
            {
                _history.Add(new Reported(began, done, attempt.Run, attempt.Lease, report.Step));
            }
        }

        foreach (var command in answer.Commands.Where(c => c.Kind is AttemptCommandKind.Stop or AttemptCommandKind.Kill && _held.ContainsKey(c.AttemptId)))
        {
            await StopAsync(_held[command.AttemptId], saves: command.Kind == AttemptCommandKind.Stop);
        }

        foreach (var assignment in answer.Assignments.Where(a => _heard.Add(a.Lease.AttemptId)))
        {
            var attempt = new Trained(assignment);
            _held[attempt.Lease.AttemptId] = attempt;
            _runs[attempt.Lease.AttemptId] = attempt.Run;

            // What the same answer revokes has been let go of by now.
            _history.Add(new Placed(began, HistoryRecorder.Now, Id, attempt.Device, attempt.Run, attempt.Lease));
        }
    }

    // Some steps, their points, and now and then a checkpoint; at the last step the end.
    private async Task TrainAsync(Trained attempt)
    {
        if (attempt.State is null)
        {
            await ResumeAsync(attempt);
        }

        if (attempt.Unsent == 0)
        {
            long first = attempt.Step + 1;
            attempt.Advance(_random.Next(1, 6));
            attempt.Unsent = attempt.Step >= first ? first : 0;
        }

        if (attempt.Unsent > 0)
        {
            await MeasureAsync(attempt);
        }

        if (_held.ContainsKey(attempt.Lease.AttemptId) && attempt.Step < attempt.Steps && _random.Next(6) == 0)
        {
            await CommitAsync(attempt);
        }

        if (_held.ContainsKey(attempt.Lease.AttemptId) && attempt.Step == attempt.Steps)
        {
            End(attempt, AttemptState.Succeeded);
        }
    }

    private async Task ResumeAsync(Trained attempt)
    {
        long began = HistoryRecorder.Now;
        var saved = new Saved(0, Chain.Of(attempt.Run));
        if (attempt.Checkpoint is { } file)
        {
            using var response = await _http.GetAsync(At(file.Url), _stop.Token);
            response.EnsureSuccessStatusCode();
            saved = JsonSerializer.Deserialize<Saved>(await response.Content.ReadAsByteArrayAsync(_stop.Token), Json.Wire)!;
        }

        (attempt.Step, attempt.State) = (saved.Step, saved.State);
        _history.Add(new Resumed(began, HistoryRecorder.Now, attempt.Run, attempt.Lease, saved.Step));
    }

    private async Task MeasureAsync(Trained attempt)
    {
        long[] steps = [.. Enumerable.Range(0, (int)(attempt.Step - attempt.Unsent + 1)).Select(i => attempt.Unsent + i)];
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), began = HistoryRecorder.Now;
        var request = new MetricsRequest(attempt.Lease, attempt.Sequence, [new MetricChunk("loss", steps, [.. steps.Select(s => 1f / s)], [.. steps.Select(_ => now)])], []);
        if (await SendAsync(attempt, "api/worker/metrics", request) is { } sent)
        {
            sent.Dispose();
            _history.Add(new Measured(began, HistoryRecorder.Now, attempt.Run, attempt.Lease, steps[0], steps[^1]));
            attempt.Sequence++;
            attempt.Unsent = 0;
        }
    }

    private async Task CommitAsync(Trained attempt)
    {
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(new Saved(attempt.Step, attempt.State!.Value), Json.Wire);
        var file = new FileRef("model.safetensors", Convert.ToHexStringLower(SHA256.HashData(bytes)), bytes.Length);
        if (await SendAsync(attempt, "api/worker/uploads", new UploadsRequest(attempt.Lease, [file])) is not { } tickets)
        {
            return;
        }

        foreach (var part in (await tickets.Content.ReadFromJsonAsync<UploadsResponse>(Json.Wire, _stop.Token))!.Tickets[0].Parts)
        {
            using var put = await _http.PutAsync(At(part.Url), new ByteArrayContent(bytes), _stop.Token);
            put.EnsureSuccessStatusCode();
        }

        tickets.Dispose();
        string trace = Chain.Text(attempt.State!.Value);
        var manifest = new CheckpointManifest { Step = attempt.Step, Tokens = attempt.Step, Trace = trace, TokenizerSha256 = new string('0', 64), Files = [file] };
        long began = HistoryRecorder.Now;
        bool acknowledged = false;
        try
        {
            using var commit = await SendAsync(attempt, "api/worker/checkpoints", new CheckpointCommit(attempt.Lease, manifest, 0, 0));
            acknowledged = commit is not null;
        }
        finally
        {
            _history.Add(new Committed(began, HistoryRecorder.Now, attempt.Run, attempt.Lease, attempt.Step, trace, acknowledged));
        }
    }

    private async Task StopAsync(Trained attempt, bool saves)
    {
        if (saves && attempt.State is not null)
        {
            await CommitAsync(attempt);
        }

        if (_held.ContainsKey(attempt.Lease.AttemptId))
        {
            attempt.State ??= Chain.Of(attempt.Run);
            End(attempt, AttemptState.Stopped);
        }
    }

    /// <returns>Null when the epoch is over, after which the attempt is gone.</returns>
    private async Task<HttpResponseMessage?> SendAsync<T>(Trained attempt, string route, T body)
    {
        var response = await _http.PostAsJsonAsync(At(route), body, Json.Wire, _stop.Token);
        if (response.StatusCode == HttpStatusCode.Conflict)
        {
            response.Dispose();
            Release(attempt);
            return null;
        }

        return response.EnsureSuccessStatusCode();
    }

    private void End(Trained attempt, AttemptState outcome)
    {
        Release(attempt);
        _ends.Add(new AttemptEnd(attempt.Lease, outcome, attempt.Step, Chain.Text(attempt.State!.Value), null, null));
    }

    private void Release(Trained attempt)
    {
        long now = HistoryRecorder.Now;
        if (_held.Remove(attempt.Lease.AttemptId))
        {
            _history.Add(new Released(now, now, Id, attempt.Device, attempt.Lease));
        }
    }

    private Uri At(string route) => new(_coordinator(_at), route);

    private sealed record Saved(long Step, ulong State);

    private sealed class Trained(Assignment assignment)
    {
        internal Guid Run { get; } = assignment.RunId;

        internal Lease Lease { get; } = assignment.Lease;

        internal int Device { get; } = assignment.DeviceIndex;

        internal long Steps { get; } = assignment.Spec.Train.Steps;

        internal BlobRef? Checkpoint { get; } = assignment.Checkpoint is { Count: > 0 } files ? files[0] : null;

        internal long Step { get; set; }

        /// <summary>Null until it has begun.</summary>
        internal ulong? State { get; set; }

        internal long Sequence { get; set; } = 1;

        /// <summary>First step whose points are not sent; 0 = all are.</summary>
        internal long Unsent { get; set; }

        internal void Advance(int steps)
        {
            for (long last = Math.Min(Steps, Step + steps); Step < last; Step++)
            {
                State = Chain.Next(State!.Value, Step + 1);
            }
        }
    }
}
