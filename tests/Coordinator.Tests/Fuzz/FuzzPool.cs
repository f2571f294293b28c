using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Api;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Npgsql;

namespace Hearth.Tests.Fuzz;

/// <summary>A coordinator with one of everything, so that requests get past the checks that only ask whether something exists.</summary>
internal sealed class FuzzPool : IAsyncDisposable
{
    // Tries of a secret that one address has; each client comes from an address of its own.
    private const int TriesOfAnAddress = 25;

    private readonly CoordinatorProcess _service;
    private readonly NpgsqlDataSource _database;
    private readonly PlacedAttempt _writer;
    private readonly PlacedAttempt _reporter;
    private readonly string _folder;
    private readonly Dictionary<string, string> _path = [];
    private readonly Dictionary<string, Func<JsonNode?>> _known;
    private HttpClient _people;
    private HttpClient _workers;
    private int _sent;
    private int _address;

    private FuzzPool(CoordinatorProcess service, NpgsqlDataSource database, PlacedAttempt writer, PlacedAttempt reporter)
    {
        (_service, _database, _writer, _reporter) = (service, database, writer, reporter);
        _folder = Directory.CreateTempSubdirectory("hearth-fuzz-").FullName;
        File.WriteAllText(Path.Combine(_folder, "a.jsonl"), "{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
        (_people, _workers) = (Client(service.AdminToken), Client(writer.Http.DefaultRequestHeaders.Authorization!.Parameter!));
        _known = new()
        {
            ["spec"] = () => JsonSerializer.SerializeToNode(Spec(), Json.Wire),
            ["lease"] = () => JsonSerializer.SerializeToNode(_writer.Lease, Json.Wire),
            ["paths[]"] = () => _folder,
            ["files[]"] = () => JsonSerializer.SerializeToNode(PlacedAttempt.File("model.safetensors", "weights"), Json.Wire),
            ["sha256"] = () => new string('a', 64),
            ["space[]"] = () => JsonNode.Parse("""{"field": "optimizer.lr", "min": 0.001, "max": 0.002}"""),
            ["search"] = () => JsonNode.Parse("""{"method": "tpe", "halving": "asha"}"""),
            ["limits"] = () => JsonNode.Parse("""{"trials": 2}"""),
            ["metric"] = () => "validation_loss",
            ["parallel"] = () => 1,
            ["cron"] = () => "0 3 * * *",
            ["zone"] = () => "UTC",
            ["role"] = () => "view",
            ["wait_milliseconds"] = () => 0,
            ["outcome"] = () => "lost",
            ["state"] = () => "running",
            ["messages"] = () => null,
            ["category"] = () => null,
            ["halt_threshold"] = () => null,
            ["template"] = () => "auto",
            ["checkpoint_id"] = () => _path["checkpoint"],
            ["repetition_penalty"] = () => 1,
            ["paths"] = () => new JsonArray(_folder),
            ["url"] = () => null,
            ["upload_id"] = () => null,
            ["file_name"] = () => "a.txt",
        };
    }

    public static async Task<FuzzPool> StartAsync(PostgresServer postgres)
    {
        string connection = await postgres.CreateDatabaseAsync();
        var service = await CoordinatorProcess.StartAsync(connection);
        await service.AddDatasetAsync();
        var database = NpgsqlDataSource.Create(connection);
        var pool = new FuzzPool(
            service,
            database,
            await PlacedAttempt.CreateAsync(service, database, "docs", keepLast: 3),
            await PlacedAttempt.CreateAsync(service, database, "docs", keepLast: 3));
        await pool.FillAsync();
        return pool;
    }

    public async Task<Surface> DescribeAsync() => new(JsonNode.Parse(await _service.Http.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative)))!);

    /// <summary>Every mutation of every operation.</summary>
    public IEnumerable<FuzzCase> Cases(Surface surface) => surface.Operations.SelectMany(operation =>
    {
        var body = operation.Body is null ? null : surface.Example(operation.Body, _known);
        if (operation.Path == "/api/worker/sync")
        {
            body!["attempts"]![0]!["lease"] = JsonSerializer.SerializeToNode(_reporter.Lease, Json.Wire);
            body["ended"] = new JsonArray();
        }

        return Mutations.Of(operation, body);
    });

    /// <summary>Sends one; the answer with how long it took.</summary>
    public async Task<(HttpResponseMessage Answer, byte[] Body, TimeSpan Took)> SendAsync(FuzzCase fuzz)
    {
        if (++_sent % TriesOfAnAddress == 0)
        {
            Renew();
        }

        if (fuzz.Operation.Path == "/api/worker/sync" && _sent % 50 == 0)
        {
            await _reporter.PlaceAgainAsync();
        }

        using var request = new HttpRequestMessage(new HttpMethod(fuzz.Operation.Method), new Uri(PathOf(fuzz.Operation) + fuzz.Query, UriKind.Relative));
        if (fuzz.Header is { } header)
        {
            request.Headers.TryAddWithoutValidation(header.Name, header.Value);
        }

        if (fuzz.Body is { } body)
        {
            request.Content = new ByteArrayContent(body);
            if (fuzz.ContentType.Length > 0)
            {
                request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(fuzz.ContentType);
            }
        }

        long began = Stopwatch.GetTimestamp();
        var answer = await (fuzz.Operation.IsWorkers ? _workers : _people).SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        bool stream = answer.Content.Headers.ContentType?.MediaType == "text/event-stream";
        byte[] read = stream ? [] : await answer.Content.ReadAsByteArrayAsync();
        return (answer, read, Stopwatch.GetElapsedTime(began));
    }

    public async ValueTask DisposeAsync()
    {
        _people.Dispose();
        _workers.Dispose();
        _writer.Dispose();
        _reporter.Dispose();
        await _database.DisposeAsync();
        await _service.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static RunSpec Spec() => RunSpecReader.Read(JsonSerializer.SerializeToElement(Pool.Spec(), Json.Wire)).Spec!;

    private async Task FillAsync()
    {
        await _writer.UploadAsync(("model.safetensors", "weights"));
        _path["checkpoint"] = (await _writer.PostAsync<CheckpointCommitted>("checkpoints", _writer.Commit(1, ("model.safetensors", "weights")))).CheckpointId.ToString();
        _path["run"] = (await _service.SubmitAsync(Pool.Spec("queued"))).Id.ToString();
        _path["generation"] = Guid.NewGuid().ToString();
        using var upload = await _service.PostAsync("/api/v1/datasets/uploads", new StartUpload("a.txt"));
        _path["upload"] = (await upload.Content.ReadFromJsonAsync<UploadView>(Json.Wire))!.Id.ToString();
        await using var asked = _database.CreateCommand(
            """
            insert into generations (id, checkpoint_id, request, worker_id, device, bytes, created_by, lease_ends_at)
            values ($1, $2, '{}', $3, 'a/0', 1, 'test', now() + interval '1 hour')
            """);
        asked.Parameters.AddWithValue(Guid.Parse(_path["generation"]));
        asked.Parameters.AddWithValue(Guid.Parse(_path["checkpoint"]));
        asked.Parameters.AddWithValue(_writer.WorkerId);
        await asked.ExecuteNonQueryAsync();
    }

    // A NUL in a path is the web server's own to refuse (400 without a word); no route ever sees one.
    private string PathOf(Operation operation) => operation.Path
        .Replace("{run}", _path["run"], StringComparison.Ordinal)
        .Replace("{checkpoint}", _path["checkpoint"], StringComparison.Ordinal)
        .Replace("{name}", "nothing%F0%9F", StringComparison.Ordinal)
        .Replace("{schedule}", "a", StringComparison.Ordinal)
        .Replace("{import}", Guid.Empty.ToString(), StringComparison.Ordinal)
        .Replace("{upload}", _path["upload"], StringComparison.Ordinal)
        .Replace("{sweep}", "s-1", StringComparison.Ordinal)
        .Replace("{id}", operation.Path.StartsWith("/api/v1/runs/", StringComparison.Ordinal) ? _writer.RunId.ToString() : operation.IsWorkers ? _path["generation"] : Guid.Empty.ToString(), StringComparison.Ordinal);

    private void Renew()
    {
        string worker = _workers.DefaultRequestHeaders.Authorization!.Parameter!;
        _people.Dispose();
        _workers.Dispose();
        (_people, _workers) = (Client(_service.AdminToken), Client(worker));
    }

    private HttpClient Client(string token)
    {
        int number = Interlocked.Increment(ref _address);
        var from = new IPEndPoint(new IPAddress([127, 1, (byte)(number / 250), (byte)(1 + (number % 250))]), 0);
        var http = new HttpClient(new SocketsHttpHandler
        {
            // A header may hold any bytes; the client would send ASCII alone.
            RequestHeaderEncodingSelector = (_, _) => System.Text.Encoding.UTF8,
            AllowAutoRedirect = false,
            ConnectCallback = async (context, stop) =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                socket.Bind(from);
                await socket.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, stop);
                return new NetworkStream(socket, ownsSocket: true);
            },
        }) { BaseAddress = _service.Address };
        http.DefaultRequestHeaders.Add(ProtocolVersion.Header, ProtocolVersion.Current.ToString(CultureInfo.InvariantCulture));
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return http;
    }
}
