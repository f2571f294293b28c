using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Hearth.Protocol;
using MessagePack;

namespace Hearth.Agent;

/// <summary>The worker API over outbound HTTP. Every failure is a <see cref="CoordinatorException"/>; every call has a timeout.</summary>
public sealed class CoordinatorClient : IDisposable
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);
    private readonly HttpClient _http;

    // What the last answer said. Behind one address there may be coordinators of two versions; an older one that refuses a batch says so in its answer.
    private volatile int _heard = ProtocolVersion.Parse(null)!.Value;

    private volatile bool _answers;

    public CoordinatorClient(Uri coordinator, string? token)
    {
        Address = coordinator;
        _http = new HttpClient(Handler()) { BaseAddress = coordinator, Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.Add(ProtocolVersion.Header, ProtocolVersion.Current.ToString(CultureInfo.InvariantCulture));
        if (token is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    public Uri Address { get; }

    /// <summary>Whether the last call was answered by a coordinator that could tell what it thinks of it.</summary>
    public bool Answers => _answers;

    public Task<JoinResponse> JoinAsync(JoinRequest request, CancellationToken cancel) =>
        PostAsync<JoinResponse>("api/worker/join", request, CallTimeout, cancel);

    public Task<SyncResponse> SyncAsync(SyncRequest request, CancellationToken cancel) =>
        PostAsync<SyncResponse>("api/worker/sync", request, TimeSpan.FromMilliseconds(request.WaitMilliseconds + 3500), cancel);

    public Task<T> PostAsync<T>(string path, object body, CancellationToken cancel) => PostAsync<T>(path, body, CallTimeout, cancel);

    /// <summary>Posts a body whose answer's content is of no interest.</summary>
    public Task PostAsync(string path, object body, CancellationToken cancel) => PostAsync(path, body, CallTimeout, cancel);

    /// <summary>As the other, for what takes the coordinator a while.</summary>
    public async Task PostAsync(string path, object body, TimeSpan timeout, CancellationToken cancel) =>
        await SendAsync(path, JsonSerializer.SerializeToUtf8Bytes(body, Json.Wire), BatchFormat.Json, timeout, cancel);

    /// <summary>Posts what <see cref="BatchCodec"/> packed: as it is, or as JSON to a coordinator that is a version behind, though it should say so only in refusing.</summary>
    /// <returns>What was taken of it; null where the answer does not tell.</returns>
    /// <exception cref="CoordinatorException">As with any call; 400 too where the bytes are no batch.</exception>
    public async Task<MetricsTaken?> PostBatchAsync<T>(string path, ReadOnlyMemory<byte> packed, CancellationToken cancel)
    {
        string format = BatchFormat.For(_heard);
        byte[] answer;
        try
        {
            answer = await SendAsync(path, format == BatchFormat.MessagePack ? packed : AsJson<T>(packed), format, CallTimeout, cancel);
        }
        catch (CoordinatorException e) when (e.Status is HttpStatusCode.UnsupportedMediaType && format != BatchFormat.For(_heard))
        {
            answer = await SendAsync(path, AsJson<T>(packed), BatchFormat.Json, CallTimeout, cancel);
        }

        return answer.Length == 0 ? null : Read<MetricsTaken>(path, answer);
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Connections are renewed, so that a changed address of the coordinator is noticed.</summary>
    internal static SocketsHttpHandler Handler() => new()
    {
        ConnectTimeout = TimeSpan.FromSeconds(3),
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        AllowAutoRedirect = false,
        UseCookies = false,
    };

    private async Task<T> PostAsync<T>(string path, object body, TimeSpan timeout, CancellationToken cancel) =>
        Read<T>(path, await SendAsync(path, JsonSerializer.SerializeToUtf8Bytes(body, Json.Wire), BatchFormat.Json, timeout, cancel));

    private static byte[] AsJson<T>(ReadOnlyMemory<byte> packed)
    {
        try
        {
            return JsonSerializer.SerializeToUtf8Bytes(BatchCodec.Decode<T>(packed), Json.Wire);
        }
        catch (MessagePackSerializationException e)
        {
            throw new CoordinatorException(HttpStatusCode.BadRequest, $"the batch cannot be read again: {e.Message}", e);
        }
    }

    private T Read<T>(string path, byte[] answer)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(answer, Json.Wire) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new CoordinatorException(null, $"{Address}{path} answered something else than {typeof(T).Name}: {e.Message}", e);
        }
    }

    private async Task<byte[]> SendAsync(string path, ReadOnlyMemory<byte> content, string type, TimeSpan timeout, CancellationToken cancel)
    {
        try
        {
            var answer = await CallAsync(path, content, type, timeout, cancel);
            _answers = true;
            return answer;
        }
        catch (CoordinatorException e)
        {
            _answers = !e.IsOutage;
            throw;
        }
    }

    private async Task<byte[]> CallAsync(string path, ReadOnlyMemory<byte> content, string type, TimeSpan timeout, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(timeout);
        try
        {
            using var request = new ReadOnlyMemoryContent(content);
            request.Headers.ContentType = new MediaTypeHeaderValue(type);
            using var response = await _http.PostAsync(path, request, limit.Token);
            var body = await response.Content.ReadAsByteArrayAsync(limit.Token);
            Check(response);
            return response.IsSuccessStatusCode ? body : throw new CoordinatorException(response.StatusCode, Describe(response.StatusCode, body));
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new CoordinatorException(null, $"{Address} did not answer within {timeout.TotalSeconds:0.#} s", e);
        }
        catch (HttpRequestException e)
        {
            throw new CoordinatorException(null, $"{Address} cannot be reached: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw new CoordinatorException(null, $"{Address} broke the connection: {e.Message}", e);
        }
    }

    // Any page, of a proxy or a hotel's network, is an outage, and an epoch ends only in a coordinator's own words.
    private void Check(HttpResponseMessage response)
    {
        string? type = response.Content.Headers.ContentType?.MediaType;
        bool ends = response.StatusCode is HttpStatusCode.Conflict or HttpStatusCode.Gone;
        if (type is not (null or "application/json" or "application/problem+json") || (ends && type is not "application/problem+json"))
        {
            throw new CoordinatorException(null, $"{Address} answered {(int)response.StatusCode} with {type ?? "nothing"}, as no coordinator does");
        }

        string? said = response.Headers.TryGetValues(ProtocolVersion.Header, out var values) ? values.First() : null;

        // Whoever stands between may refuse or fail without a word of the protocol; only what was done tells a coordinator from before the header.
        if (said is null && !response.IsSuccessStatusCode)
        {
            return;
        }

        if (ProtocolVersion.Parse(said) is { } version)
        {
            _heard = version;
            if (ProtocolVersion.Mismatch(ProtocolVersion.Current, version) is { } mismatch)
            {
                throw new CoordinatorException(HttpStatusCode.UpgradeRequired, mismatch);
            }
        }
    }

    /// <summary>The detail of a problem+json body where there is one, else the status alone.</summary>
    private static string Describe(HttpStatusCode status, byte[] body)
    {
        try
        {
            using var problem = JsonDocument.Parse(body);
            foreach (var field in new[] { "detail", "title" })
            {
                if (problem.RootElement.ValueKind == JsonValueKind.Object
                    && problem.RootElement.TryGetProperty(field, out var text) && text.ValueKind == JsonValueKind.String)
                {
                    return $"{text.GetString()} ({(int)status})";
                }
            }
        }
        catch (JsonException)
        {
            // Not problem+json: a proxy's page, say. The status must do.
        }

        return $"the coordinator answered {(int)status} {status}";
    }
}
