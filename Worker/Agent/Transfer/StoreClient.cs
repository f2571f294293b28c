using System.Net;
using System.Text.Json;

namespace Hearth.Agent;

/// <summary>HTTP to the object store. Addresses are signed, so no token is sent with them; a refusal is told in the store's own words.</summary>
public sealed class StoreClient(Uri coordinator) : IDisposable
{
    /// <summary>So long without a byte counts as stuck.</summary>
    public static readonly TimeSpan Stall = TimeSpan.FromSeconds(20);
    private const int LongestWords = 4096;
    private readonly HttpClient _http = new(CoordinatorClient.Handler()) { Timeout = Timeout.InfiniteTimeSpan };

    /// <param name="request">Its address may be relative to the coordinator's.</param>
    /// <param name="what">For messages: <c>weights.safetensors</c>.</param>
    /// <param name="stop">Ends the request.</param>
    /// <returns>The answer of a success, whose body is not read yet.</returns>
    /// <exception cref="TransferException">The store refused, or could not be reached.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string what, CancellationToken stop)
    {
        request.RequestUri = new Uri(coordinator, request.RequestUri!);
        var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw new TransferException(response.StatusCode, $"the store answered {(int)response.StatusCode} {Reason(response.StatusCode)} for {what}{await WordsAsync(response, stop)}");
        }
    }

    public void Dispose() => _http.Dispose();

    private static string Reason(HttpStatusCode status) => status == HttpStatusCode.InsufficientStorage ? "(it is full)" : status.ToString();

    /// <summary>What a store of the coordinator's says of its refusal; other stores answer pages of XML, which help nobody.</summary>
    private static async Task<string> WordsAsync(HttpResponseMessage response, CancellationToken stop)
    {
        if (response.Content.Headers.ContentType?.MediaType != "application/problem+json" || response.Content.Headers.ContentLength > LongestWords)
        {
            return "";
        }

        try
        {
            using var problem = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(stop));
            return problem.RootElement.TryGetProperty("detail", out var detail) && detail.ValueKind == JsonValueKind.String ? $": {detail.GetString()}" : "";
        }
        catch (JsonException)
        {
            return "";
        }
    }
}
