using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Protocol;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>A run placed on a worker of its own, and the worker's side of the data routes, spoken in real HTTP.</summary>
public sealed class PlacedAttempt : IDisposable
{
    /// <summary>Of its run.</summary>
    public const int Steps = 1_000_000;

    private readonly NpgsqlDataSource _database;
    private readonly CoordinatorProcess _service;

    private PlacedAttempt(CoordinatorProcess service, NpgsqlDataSource database, HttpClient http, Guid worker, Guid run, Lease lease) =>
        (_service, _database, Http, WorkerId, RunId, Lease) = (service, database, http, worker, run, lease);

    /// <summary>Carries the worker's token.</summary>
    public HttpClient Http { get; }

    public Guid WorkerId { get; }

    public Guid RunId { get; }

    public Lease Lease { get; private set; }

    /// <summary>As <see cref="Lease"/>, but an epoch behind.</summary>
    public Lease Stale => Lease with { Epoch = Lease.Epoch - 1 };

    public static async Task<PlacedAttempt> CreateAsync(CoordinatorProcess service, NpgsqlDataSource database, string dataset, int keepLast)
    {
        Guid worker = Guid.NewGuid(), run = Guid.NewGuid();
        string token = $"hth_{worker:N}";
        var spec = new
        {
            name = "a-run",
            model = new { family = "qovaryx", size = "nano", vocab_size = 300 },
            data = new { dataset, seq_len = 64, validation_fraction = 0.2 },
            train = new { steps = Steps, batch_tokens = 1024 },
            checkpoint = new { keep_last = keepLast },
        };
        await using var command = database.CreateCommand(
            """
            insert into workers (id, name, token_sha256, agent_version, devices) values ($1, $2, $3, 'test', '[]');
            """);
        command.Parameters.AddWithValue(worker);
        command.Parameters.AddWithValue($"worker-{worker:N}");
        command.Parameters.AddWithValue(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        await command.ExecuteNonQueryAsync();
        await using var insert = database.CreateCommand("insert into runs (id, name, state, priority, spec, parameters, created_by) values ($1, 'a-run', 'running', 1, $2::jsonb, 1, 'test')");
        insert.Parameters.AddWithValue(run);
        insert.Parameters.AddWithValue(JsonSerializer.Serialize(spec));
        await insert.ExecuteNonQueryAsync();
        var placed = new PlacedAttempt(service, database, service.Client(token), worker, run, new Lease(Guid.Empty, 0));
        await placed.PlaceAgainAsync();
        return placed;
    }

    /// <summary>Ends the attempt, if there is one, and places the run anew under the next epoch.</summary>
    public async Task PlaceAgainAsync()
    {
        await EndAsync();
        Lease = new Lease(Guid.NewGuid(), Lease.Epoch + 2);
        await using var command = _database.CreateCommand(
            """
            insert into attempts (id, run_id, number, epoch, worker_id, device_index, micro_batch, state, lease_ends_at)
            values ($1, $2, (select count(*) + 1 from attempts where run_id = $2), $3, $4, 0, 1, 'running', now() + interval '1 hour')
            """);
        command.Parameters.AddWithValue(Lease.AttemptId);
        command.Parameters.AddWithValue(RunId);
        command.Parameters.AddWithValue(Lease.Epoch);
        command.Parameters.AddWithValue(WorkerId);
        await command.ExecuteNonQueryAsync();
    }

    public async Task EndAsync()
    {
        await using var command = _database.CreateCommand("update attempts set ended_at = now(), state = 'lost' where run_id = $1 and ended_at is null");
        command.Parameters.AddWithValue(RunId);
        await command.ExecuteNonQueryAsync();
    }

    public Task<HttpResponseMessage> PostAsync(string route, object body) => Http.PostAsJsonAsync($"/api/worker/{route}", body, Json.Wire);

    public async Task<T> PostAsync<T>(string route, object body)
    {
        using var response = await PostAsync(route, body);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<T>(Json.Wire))!;
    }

    /// <summary>What a person reads of the run.</summary>
    public async Task<T> GetAsync<T>(string route) => (await _service.Http.GetFromJsonAsync<T>($"/api/v1/runs/{RunId}/{route}", Json.Wire))!;

    public static FileRef File(string name, string content) =>
        new(name, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content))), Encoding.UTF8.GetByteCount(content));

    /// <summary>Asks where to put the files and puts those that are asked for; how many that were.</summary>
    public async Task<int> UploadAsync(params (string Name, string Content)[] files)
    {
        var answer = await PostAsync<UploadsResponse>("uploads", new UploadsRequest(Lease, [.. files.Select(f => File(f.Name, f.Content))]));
        var wanted = answer.Tickets.Where(t => t.Parts.Count > 0).ToDictionary(t => t.Sha256, t => Assert.Single(t.Parts));
        using var http = _service.Client(null);
        foreach (var (name, content) in files.DistinctBy(f => f.Content))
        {
            if (wanted.TryGetValue(File(name, content).Sha256, out var part))
            {
                using var put = await http.SendAsync(Put(part, Encoding.UTF8.GetBytes(content)));
                put.EnsureSuccessStatusCode();
            }
        }

        return wanted.Count;
    }

    /// <summary>The request that a ticket's part asks for.</summary>
    public static HttpRequestMessage Put(UploadPart part, byte[] content)
    {
        var request = new HttpRequestMessage(HttpMethod.Put, new Uri(part.Url, UriKind.RelativeOrAbsolute)) { Content = new ByteArrayContent(content) };
        foreach (var (name, value) in part.Headers)
        {
            request.Headers.Add(name, value);
        }

        return request;
    }

    public CheckpointCommit Commit(long step, params (string Name, string Content)[] files) => new(
        Lease,
        new CheckpointManifest { Step = step, Tokens = step * 64, Trace = $"{step:x16}", TokenizerSha256 = new string('0', 64), Files = [.. files.Select(f => File(f.Name, f.Content))] },
        0.01,
        0.1);

    public void Dispose() => Http.Dispose();
}
