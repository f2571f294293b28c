using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Hearth.Protocol;
using Hearth.Runs;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Hearth.Agent.Tests.Support;

/// <summary>
/// Speaks the worker API over real HTTP, with a store in memory. It is as strict as the real one: tokens, epochs, sequence numbers
/// without a gap, checkpoints only of blobs that it has. Tests break it by its switches.
/// </summary>
internal sealed class FakeCoordinator : IAsyncDisposable
{
    public const string JoinCode = "cosy-embers-42";
    private const string Token = "worker-token";
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, byte[]> _blobs = new();
    private readonly ConcurrentQueue<Assignment> _assignments = new();
    private readonly ConcurrentDictionary<long, AttemptCommand> _commands = new();
    private readonly Dictionary<long, int> _delivered = [];
    private readonly Lock _gate = new();
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _away;
    private long _serial;
    private long _ids;

    private FakeCoordinator(WebApplication app) => _app = app;

    /// <summary>Connections are cut without an answer, the held one too.</summary>
    public bool Away
    {
        get => _away;
        set
        {
            _away = value;
            News();
        }
    }

    /// <summary>Points and log lines are taken, but the answer that says so is lost.</summary>
    public volatile bool LoseAnswers;

    /// <summary>What every call of a worker is answered instead, by the coordinator or by what stands before it; null = by what this is.</summary>
    public volatile Func<IResult>? Instead;

    /// <summary>Why one point of each batch is said to be refused; null = none is.</summary>
    public volatile string? PointRefusal;

    /// <summary>The protocol's version that its answers carry; null = they carry none.</summary>
    public volatile string? Version = ProtocolVersion.Current.ToString(CultureInfo.InvariantCulture);

    /// <summary>What the store answers to uploads, when not 200.</summary>
    public volatile int UploadStatus = StatusCodes.Status200OK;
    public ConcurrentDictionary<Guid, FakeAttempt> Attempts { get; } = new();
    public ConcurrentDictionary<Guid, FakeGeneration> Generations { get; } = new();
    public volatile bool Draining;
    public ConcurrentQueue<SyncRequest> Syncs { get; } = new();
    public ConcurrentQueue<JoinRequest> Joins { get; } = new();
    public ConcurrentQueue<string> Violations { get; } = new();

    /// <summary>Content types of the batches that were taken, and of those that were refused for it.</summary>
    public ConcurrentQueue<string> Formats { get; } = new();
    public ConcurrentQueue<string> Refused { get; } = new();
    public string Address => _app.Urls.First();

    public static async Task<FakeCoordinator> StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(o => o.Listen(IPAddress.Loopback, port));
        builder.Services.Configure<JsonOptions>(o => Json.Configure(o.SerializerOptions));
        var app = builder.Build();
        var fake = new FakeCoordinator(app);
        fake.Map();
        await app.StartAsync();
        return fake;
    }

    /// <summary>Places a run; the agent learns of it from its held call.</summary>
    public FakeAttempt Place(RunSpec spec, Func<Assignment, Assignment>? change = null)
    {
        var assignment = new Assignment
        {
            Lease = new Lease(Guid.NewGuid(), Interlocked.Increment(ref _ids)),
            RunId = Guid.NewGuid(),
            RunName = spec.Name,
            Number = 1,
            Spec = spec,
            DeviceIndex = 0,
            Dataset = [Store("text.txt", "once upon a time")],
        };
        assignment = change?.Invoke(assignment) ?? assignment;
        var attempt = new FakeAttempt(assignment);
        Attempts[assignment.Lease.AttemptId] = attempt;
        _assignments.Enqueue(assignment);
        News();
        return attempt;
    }

    /// <summary>Asks a checkpoint that has one small file.</summary>
    public FakeGeneration Ask(Guid checkpoint, string prompt = "go on", int tokens = 40, int? device = 0, Func<GenerationAssignment, GenerationAssignment>? change = null)
    {
        var assignment = new GenerationAssignment
        {
            Id = Guid.NewGuid(),
            CheckpointId = checkpoint,
            DeviceIndex = device,
            Files = [Store("model.safetensors", $"weights of {checkpoint}")],
            Request = new GenerationRequest { Prompt = prompt, MaxTokens = tokens },
        };
        var asked = new FakeGeneration(change?.Invoke(assignment) ?? assignment);
        Generations[assignment.Id] = asked;
        News();
        return asked;
    }

    /// <summary>Somebody stops a request: its worker is told, and may write no more.</summary>
    public void Stop(FakeGeneration asked)
    {
        asked.Over = true;
        News();
    }

    public void Drain()
    {
        Draining = true;
        News();
    }

    public void Command(FakeAttempt attempt, AttemptCommandKind kind, string? prompt = null)
    {
        long id = Interlocked.Increment(ref _ids);
        _commands[id] = new AttemptCommand(id, attempt.Lease.AttemptId, kind, prompt);
        News();
    }

    /// <summary>The epoch ends here and now; what still comes under it is answered 409 and counted.</summary>
    public void Fence(FakeAttempt attempt, bool tell)
    {
        attempt.Fenced = true;
        attempt.TellRevoked = tell;
        News();
    }

    public BlobRef Store(string name, string text) => Store(name, Encoding.UTF8.GetBytes(text));

    public BlobRef Store(string name, byte[] bytes)
    {
        string sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes));
        _blobs[sha256] = bytes;
        return new BlobRef(name, sha256, bytes.Length, $"/blobs/{sha256}?sig=abc");
    }

    /// <summary>The files of a committed checkpoint, as a later attempt gets them.</summary>
    public IReadOnlyList<BlobRef> Files(CheckpointManifest manifest) =>
        [.. manifest.Files.Select(f => new BlobRef(f.Name, f.Sha256, f.Bytes, $"/blobs/{f.Sha256}?sig=abc"))];

    /// <summary>Changes one byte of a stored blob.</summary>
    public void Damage(string sha256)
    {
        byte[] bytes = [.. _blobs[sha256]];
        bytes[0] ^= 1;
        _blobs[sha256] = bytes;
    }

    public async ValueTask DisposeAsync()
    {
        Away = true;
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await _app.StopAsync(soon.Token);
        await _app.DisposeAsync();
    }

    private static IResult Fenced() => Results.Problem("The epoch is over.", statusCode: StatusCodes.Status409Conflict);

    private void Map()
    {
        _app.Use(async (context, next) =>
        {
            var stranger = Instead;
            if (Version is { } version && stranger is null)
            {
                context.Response.Headers[ProtocolVersion.Header] = version;
            }

            if (Away)
            {
                context.Abort();
            }
            else if (context.Request.Path.StartsWithSegments("/api/worker")
                && !context.Request.Path.StartsWithSegments("/api/worker/join")
                && stranger is not null)
            {
                await stranger().ExecuteAsync(context);
            }
            else if (context.Request.Path.StartsWithSegments("/api/worker")
                && !context.Request.Path.StartsWithSegments("/api/worker/join")
                && context.Request.Headers.Authorization != "Bearer " + Token)
            {
                await Results.Problem("the token is not known", statusCode: StatusCodes.Status401Unauthorized).ExecuteAsync(context);
            }
            else
            {
                await next(context);
                if (LoseAnswers && context.Request.Path.Value is "/api/worker/metrics" or "/api/worker/logs")
                {
                    context.Abort();
                }
            }
        });
        _app.MapPost("/api/worker/join", (JoinRequest request) =>
        {
            Joins.Enqueue(request);
            return request.Code == JoinCode
                ? Results.Ok(new JoinResponse(Guid.NewGuid(), request.Name, Token))
                : Results.Problem("no such code", statusCode: StatusCodes.Status403Forbidden);
        });
        _app.MapPost("/api/worker/sync", SyncAsync);
        MapBatch<MetricsRequest>("metrics", r => Write(r.Lease, a => a.Metrics.Add(r.Sequence, r), () => Taken(r)));
        MapBatch<LogsRequest>("logs", r => Write(r.Lease, a => a.Logs.Add(r.Sequence, r)));
        _app.MapPost("/api/worker/uploads", (UploadsRequest r) => Write(
            r.Lease, _ => null, () => new UploadsResponse([.. r.Files.Select(f => new UploadTicket(f.Sha256, _blobs.ContainsKey(f.Sha256) ? [] : [new UploadPart(1, 0, f.Bytes, $"/blobs/{f.Sha256}?sig=put", new Dictionary<string, string>())]))])));
        _app.MapPost("/api/worker/checkpoints", (CheckpointCommit r) => Write(r.Lease, a => Commit(a, r), () => new CheckpointCommitted(Guid.NewGuid(), [])));
        _app.MapPost("/api/worker/checkpoints/failed", (CheckpointProblem r) => Write(r.Lease, a => a.Failed.Add(r)));
        _app.MapPost("/api/worker/checkpoints/unreadable", (CheckpointProblem r) => Write(r.Lease, a => a.Unreadable.Add(r)));
        _app.MapPost("/api/worker/prepared", (PreparedCommit r) => Write(r.Lease, a => a.Prepared.Add(r)));
        _app.MapPost("/api/worker/generations/{id:guid}", (Guid id, GenerationBatch batch) => Generations.TryGetValue(id, out var asked) && asked.Take(batch) ? Results.NoContent() : Fenced());
        _app.MapGet("/blobs/{sha256}", (string sha256, string sig) => _blobs.TryGetValue(sha256, out byte[]? bytes) && sig == "abc"
            ? Results.Bytes(bytes, enableRangeProcessing: true)
            : Results.NotFound());
        _app.MapPut("/blobs/{sha256}", PutAsync);
    }

    private MetricsTaken Taken(MetricsRequest batch)
    {
        int points = batch.Chunks.Sum(c => c.Steps.Count) + batch.Samples.Count;
        return PointRefusal is { } why ? new MetricsTaken(points - 1, 1, [why]) : new MetricsTaken(points, 0, []);
    }

    // A coordinator of a version that does not know MessagePack refuses it by its type.
    private void MapBatch<T>(string name, Func<T, IResult> take) => _app.MapPost($"/api/worker/{name}", async (HttpContext context) =>
    {
        string type = context.Request.ContentType ?? "";
        if (type == BatchFormat.MessagePack && BatchFormat.For(ProtocolVersion.Parse(Version)!.Value) == BatchFormat.MessagePack)
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            Formats.Enqueue(type);
            return take(BatchCodec.Decode<T>(body.ToArray()));
        }

        if (type != BatchFormat.Json)
        {
            Refused.Enqueue(type);
            return Results.Problem($"{type} is not known here", statusCode: StatusCodes.Status415UnsupportedMediaType);
        }

        Formats.Enqueue(type);
        return take((await context.Request.ReadFromJsonAsync<T>())!);
    });

    private async Task<IResult> PutAsync(string sha256, string sig, HttpContext context)
    {
        if (context.Request.Headers.ContainsKey("Authorization"))
        {
            Violations.Enqueue("the token was sent to the store");
        }

        using var memory = new MemoryStream();
        await context.Request.Body.CopyToAsync(memory);
        byte[] bytes = memory.ToArray();
        if (UploadStatus != StatusCodes.Status200OK || sig != "put")
        {
            return Results.StatusCode(UploadStatus);
        }

        if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != sha256 || !_blobs.TryAdd(sha256, bytes))
        {
            Violations.Enqueue($"{sha256} was put with other bytes, or twice");
        }

        return Results.Ok();
    }

    private async Task<SyncResponse> SyncAsync(SyncRequest request, HttpContext context)
    {
        Syncs.Enqueue(request);
        var until = DateTime.UtcNow.AddMilliseconds(request.WaitMilliseconds);
        while (true)
        {
            Task news;
            lock (_gate)
            {
                news = _news.Task;
                var answer = Answer(request);
                if (answer.Assignments.Count + answer.Commands.Count + answer.Acknowledged.Count + answer.Revoked.Count + answer.Generations.Count + answer.EndedGenerations.Count > 0 || DateTime.UtcNow >= until)
                {
                    return answer;
                }
            }

            var left = until - DateTime.UtcNow;
            await Task.WhenAny(news, Task.Delay(left > TimeSpan.Zero ? left : TimeSpan.Zero, context.RequestAborted));
            if (Away)
            {
                context.Abort();
            }

            context.RequestAborted.ThrowIfCancellationRequested();
        }
    }

    private SyncResponse Answer(SyncRequest request)
    {
        var live = request.Attempts.Select(a => a.Lease.AttemptId).ToHashSet();
        foreach (var report in request.Attempts.Where(r => Attempts.ContainsKey(r.Lease.AttemptId)))
        {
            Attempts[report.Lease.AttemptId].Reported(report);
        }

        foreach (var end in request.Ended.Where(e => Attempts.ContainsKey(e.Lease.AttemptId)))
        {
            Attempts[end.Lease.AttemptId].Ended(end);
        }

        foreach (var reported in request.Generations.Where(Generations.ContainsKey))
        {
            Generations[reported].Seen = true;
        }

        return new SyncResponse
        {
            Generations = [.. Generations.Values.Where(g => g is { Seen: false, Over: false, Last: null }).Select(g => g.Assignment)],
            EndedGenerations = [.. request.Generations.Where(id => !Generations.TryGetValue(id, out var asked) || asked.Over)],
            Draining = Draining,
            Serial = ++_serial,
            ServerTime = DateTimeOffset.UtcNow,
            LeaseSeconds = 10,
            Assignments = [.. _assignments.Where(a => Attempts[a.Lease.AttemptId] is { Seen: false, Fenced: false })],

            // Given three times on purpose: an id is to be obeyed once.
            Commands = [.. _commands.Values.Where(c => live.Contains(c.AttemptId) && (_delivered[c.Id] = _delivered.GetValueOrDefault(c.Id) + 1) <= 3)],
            Acknowledged = [.. request.Ended.Select(e => e.Lease.AttemptId)],
            Revoked = [.. Attempts.Values.Where(a => a.TellRevoked && live.Contains(a.Lease.AttemptId)).Select(a => a.Lease.AttemptId)],
        };
    }

    private IResult Write(Lease lease, Func<FakeAttempt, string?> write, Func<object>? answer = null)
    {
        if (!Attempts.TryGetValue(lease.AttemptId, out var attempt) || attempt.Lease != lease)
        {
            Violations.Enqueue($"a write under the unknown lease {lease}");
            return Fenced();
        }

        if (attempt.Fenced)
        {
            attempt.WritesAfterFence++;
            return Results.Problem("the epoch is over", statusCode: StatusCodes.Status409Conflict);
        }

        if (attempt.End is not null)
        {
            Violations.Enqueue("a write after the end");
        }

        if (write(attempt) is { } violation)
        {
            Violations.Enqueue(violation);
        }

        return answer is null ? Results.NoContent() : Results.Ok(answer());
    }

    private string? Commit(FakeAttempt attempt, CheckpointCommit commit)
    {
        attempt.Commits.Add(commit);
        return commit.Manifest.Files.FirstOrDefault(f => !_blobs.ContainsKey(f.Sha256)) is { } missing ? $"{missing.Name} was committed before it was stored" : null;
    }

    private void News()
    {
        lock (_gate)
        {
            _news.TrySetResult();
            _news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
