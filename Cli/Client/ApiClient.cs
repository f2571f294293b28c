using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
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

    public async Task DeleteAsync(string path, CancellationToken stop) =>
        await SendAsync<JsonElement?>(() => new HttpRequestMessage(HttpMethod.Delete, Full(path)), repeat: true, stop);

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
                using var response = await _http.SendAsync(request, stop);
                if (!response.IsSuccessStatusCode)
                {
                    throw await ErrorAsync(response, stop);
                }

                string text = await response.Content.ReadAsStringAsync(stop);
                return text.Length == 0 ? default! : JsonSerializer.Deserialize<T>(text, Json.Wire)!;
            }
            catch (HttpRequestException e)
            {
                if (!repeat || attempt == Tries)
                {
                    throw new CliException($"No coordinator answers at {Address}: {e.Message}. Start one with ./hearth up, or name another in HEARTH_URL.", ExitCodes.Unreachable);
                }
            }
            catch (TaskCanceledException) when (!stop.IsCancellationRequested)
            {
                throw new CliException($"The coordinator at {Address} did not answer within {Limit.TotalSeconds:0} s.", ExitCodes.Unreachable);
            }

            await Task.Delay(Pause * attempt, stop);
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
