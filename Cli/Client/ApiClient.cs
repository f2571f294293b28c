using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Cli.Client;

/// <summary>An answer of the API that is not a success, with its own words.</summary>
internal sealed class ApiException(HttpStatusCode status, string message, IReadOnlyList<FieldError> errors) : Exception(message)
{
    public HttpStatusCode Status { get; } = status;

    public IReadOnlyList<FieldError> Errors { get; } = errors;

    /// <summary>What a person sees: one line per wrong field, in the API's own words.</summary>
    public IEnumerable<string> Lines => Errors.Count == 0 ? [Message] : Errors.Select(e => e.Message.StartsWith(e.Field, StringComparison.Ordinal) || e.Field.Length == 0 ? e.Message : $"{e.Field}: {e.Message}");

    public int ExitCode => Status switch
    {
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ExitCodes.NotAllowed,
        HttpStatusCode.UnprocessableEntity or HttpStatusCode.BadRequest or HttpStatusCode.NotFound => ExitCodes.BadInput,
        _ => ExitCodes.Failed,
    };
}

/// <summary>The HTTP API of a coordinator. Paths are under <c>/api/v1/</c>.</summary>
internal sealed class ApiClient : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(100);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);
    private const int Tries = 4;
    private readonly HttpClient _http;

    public ApiClient(Uri address, string? token)
    {
        // A browser's cookies and a proxy between a machine and itself are both unwanted here.
        _http = new HttpClient(new SocketsHttpHandler { UseCookies = false, UseProxy = !address.IsLoopback }) { BaseAddress = address, Timeout = Limit };
        if (token is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    public Uri Address => _http.BaseAddress!;

    public Task<T> GetAsync<T>(string path, CancellationToken stop) => SendAsync<T>(() => new HttpRequestMessage(HttpMethod.Get, Full(path)), repeat: true, stop);

    /// <param name="path">Under <c>/api/v1/</c>.</param>
    /// <param name="body">Sent as JSON; null sends none.</param>
    /// <param name="stop">Ends the request.</param>
    /// <param name="key">Makes repeating the request harmless, so that a lost answer is asked for again.</param>
    public Task<T> PostAsync<T>(string path, object? body, CancellationToken stop, string? key = null) => SendAsync<T>(
        () =>
        {
            var request = new HttpRequestMessage(HttpMethod.Post, Full(path)) { Content = body is null ? null : JsonContent.Create(body, body.GetType(), options: Json.Wire) };
            if (key is not null)
            {
                request.Headers.Add("Idempotency-Key", key);
            }

            return request;
        },
        repeat: key is not null,
        stop);

    /// <summary>Sends bytes as they are. The address says where they belong, so that sending them again is harmless.</summary>
    public Task<T> PutAsync<T>(string path, ReadOnlyMemory<byte> content, CancellationToken stop) => SendAsync<T>(
        () =>
        {
            var body = new ReadOnlyMemoryContent(content);
            body.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            return new HttpRequestMessage(HttpMethod.Put, Full(path)) { Content = body };
        },
        repeat: true,
        stop);

    public async Task DeleteAsync(string path, CancellationToken stop) =>
        await SendAsync<JsonElement?>(() => new HttpRequestMessage(HttpMethod.Delete, Full(path)), repeat: true, stop);

    /// <summary>
    /// Server-sent events until the stream's end, pings left out. A stream that breaks off is taken up after the last event that came.
    /// </summary>
    public async IAsyncEnumerable<T> EventsAsync<T>(string path, [EnumeratorCancellation] CancellationToken stop)
    {
        string last = "";
        for (int breaks = 0; breaks < Tries; breaks++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, Full(path));
            request.Headers.Add("Last-Event-ID", last);
            using var response = await TryAnswerAsync(request, last: breaks == Tries - 1, stop);
            if (response is { StatusCode: HttpStatusCode.NoContent })
            {
                yield break;
            }

            await using var body = response is null ? Stream.Null : await response.Content.ReadAsStreamAsync(stop);
            await using var events = SseParser.Create(body).EnumerateAsync(stop).GetAsyncEnumerator(stop);
            while (await NextAsync(events))
            {
                (last, breaks) = (events.Current.EventId ?? last, 0);
                if (events.Current.EventType != "ping")
                {
                    yield return JsonSerializer.Deserialize<T>(events.Current.Data, Json.Wire)!;
                }
            }

            await Task.Delay(Pause, stop);
        }
    }

    /// <summary>Whether the coordinator and its database answer.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken stop)
    {
        try
        {
            using var response = await _http.GetAsync(new Uri("readyz", UriKind.Relative), stop);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    public void Dispose() => _http.Dispose();

    private static Uri Full(string path) => new("api/v1/" + path, UriKind.Relative);

    private async Task<T> SendAsync<T>(Func<HttpRequestMessage> make, bool repeat, CancellationToken stop)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                using var request = make();
                using var response = await AnswerAsync(request, HttpCompletionOption.ResponseContentRead, stop);
                string text = await response.Content.ReadAsStringAsync(stop);
                return text.Length == 0 ? default! : JsonSerializer.Deserialize<T>(text, Json.Wire)!;
            }
            catch (HttpRequestException e)
            {
                if (!repeat || attempt == Tries)
                {
                    throw Unreachable(e);
                }
            }
            catch (TaskCanceledException) when (!stop.IsCancellationRequested)
            {
                throw new CliException($"The coordinator at {Address} did not answer within {Limit.TotalSeconds:0} s.", ExitCodes.Unreachable);
            }

            await Task.Delay(Pause * attempt, stop);
        }
    }

    // A broken connection ends the stream; the caller goes on from the event it has.
    private static async Task<bool> NextAsync(IAsyncEnumerator<SseItem<string>> events)
    {
        try
        {
            return await events.MoveNextAsync();
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return false;
        }
    }

    // Null = no answer, and another try is left.
    private async Task<HttpResponseMessage?> TryAnswerAsync(HttpRequestMessage request, bool last, CancellationToken stop)
    {
        try
        {
            return await AnswerAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
        }
        catch (HttpRequestException e)
        {
            return last ? throw Unreachable(e) : null;
        }
    }

    private CliException Unreachable(HttpRequestException e) =>
        new($"No coordinator answers at {Address}: {e.Message}. Start one with ./hearth up, or name another in HEARTH_URL.", ExitCodes.Unreachable);

    /// <summary>The answer of a success.</summary>
    private async Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, HttpCompletionOption completion, CancellationToken stop)
    {
        var response = await _http.SendAsync(request, completion, stop);
        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw await ErrorAsync(response, stop);
        }
    }

    private static async Task<ApiException> ErrorAsync(HttpResponseMessage response, CancellationToken stop)
    {
        string text = await response.Content.ReadAsStringAsync(stop);
        string otherwise = $"The coordinator answered {(int)response.StatusCode} {response.ReasonPhrase}.";
        try
        {
            var problem = JsonSerializer.Deserialize<Problem>(text, Json.Wire);
            return new ApiException(response.StatusCode, problem?.Detail ?? problem?.Title ?? otherwise, problem?.Errors ?? []);
        }
        catch (JsonException)
        {
            return new ApiException(response.StatusCode, otherwise, []);
        }
    }

    private sealed record Problem(string? Title, string? Detail, IReadOnlyList<FieldError>? Errors);
}
