using System.Net;
using System.Net.Sockets;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Runs;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>What an address gave.</summary>
/// <param name="Name">Of the file: the last part of the last address.</param>
/// <param name="Content">Its bytes; ends with a refusal where they get too many.</param>
/// <param name="Bytes">As announced; null where it was not.</param>
public sealed record Fetched(string Name, Stream Content, long? Bytes);

/// <summary>
/// Fetches addresses for others. Redirects are followed by hand, a few, each looked at as the first one is; and what is connected to is an address that was
/// looked at, not a name that could be resolved anew to another one in between.
/// </summary>
public sealed class UrlFetcher : IDisposable
{
    private const int MostRedirects = 5;
    private static readonly TimeSpan Connecting = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Answering = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(60);
    private readonly ImportSettings _settings;
    private readonly HttpClient _http;

    public UrlFetcher(ImportSettings settings)
    {
        _settings = settings;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = Connecting,
            PooledConnectionLifetime = TimeSpan.Zero,
            ConnectCallback = ConnectAsync,
        };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <exception cref="DatasetRefusedException">It cannot be fetched, or may not be.</exception>
    public async Task<Fetched> FetchAsync(string address, CancellationToken stop)
    {
        var url = new Uri(address);
        for (int redirects = 0; ; redirects++)
        {
            var response = await AnswerAsync(url, stop);
            if (response.StatusCode is HttpStatusCode.MovedPermanently or HttpStatusCode.Redirect or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect)
            {
                var next = response.Headers.Location;
                response.Dispose();
                url = Next(url, next, redirects);
                continue;
            }

            if (!response.IsSuccessStatusCode)
            {
                using (response)
                {
                    throw Refused(url, $"answered {(int)response.StatusCode} {response.ReasonPhrase}", "an address that answers 200");
                }
            }

            return await TakeAsync(url, response, stop);
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> AnswerAsync(Uri url, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(Answering);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
        }
        catch (HttpRequestException e)
        {
            throw e.InnerException as DatasetRefusedException ?? Refused(url, $"cannot be reached: {e.Message.TrimEnd('.')}", "an address that answers");
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw Refused(url, $"did not answer within {Answering.TotalSeconds:0} s", "an address that answers");
        }
    }

    private static Uri Next(Uri url, Uri? location, int redirects)
    {
        if (redirects == MostRedirects)
        {
            throw Refused(url, $"redirects once more after {MostRedirects} redirects", $"at most {MostRedirects} redirects");
        }

        var next = location is null ? null : new Uri(url, location);
        string? refusal = next is null ? "no address" : AddressRules.Refusal(next.OriginalString) ?? (url.Scheme == "https" && next.Scheme == "http" ? "http after https" : null);
        return refusal is null ? next! : throw Refused(url, $"redirects to {refusal}", "redirects to http or https, and from https to https alone");
    }

    private async Task<Fetched> TakeAsync(Uri url, HttpResponseMessage response, CancellationToken stop)
    {
        long? bytes = response.Content.Headers.ContentLength;
        if (bytes > _settings.MostSourceBytes)
        {
            response.Dispose();
            throw TooLong(url, Words.Number(bytes.Value));
        }

        long read = 0;
        var body = await response.Content.ReadAsStreamAsync(stop);
        string name = Uri.UnescapeDataString(url.Segments[^1]).Trim('/');
        return new Fetched(
            name.Length > 0 && EntryNames.Refusal(name) is null ? name : url.Host,
            new FetchedStream(body, response, url, Silence, n => read = read + n <= _settings.MostSourceBytes ? read + n : throw TooLong(url, $"more than {Words.Number(_settings.MostSourceBytes)}")),
            bytes);
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken stop)
    {
        string host = context.DnsEndPoint.Host;
        var all = IPAddress.TryParse(host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(host, stop);
        IPAddress[] allowed = [.. all.Where(a => _settings.PrivateAddresses || AddressRules.IsPublic(a))];
        if (allowed.Length == 0)
        {
            const string Allowed = "addresses of the public internet (HEARTH_IMPORT_PRIVATE_ADDRESSES=on allows others)";
            string what = all.Length == 0 ? "has no address" : literal is not null ? "may not be fetched from" : $"is {string.Join(", ", all.Take(3).Select(a => a.ToString()))}, and may not be fetched from";
            throw new DatasetRefusedException("url", host, Allowed, $"{host} {what}. Allowed: {Allowed}.");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, stop);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private DatasetRefusedException TooLong(Uri url, string bytes) =>
        Refused(url, $"gives {bytes} bytes", $"at most {Words.Number(_settings.MostSourceBytes)} bytes (HEARTH_IMPORT_SOURCE_BYTES)");

    // Without the query: it may hold a secret.
    internal static DatasetRefusedException Refused(Uri url, string what, string allowed)
    {
        string shown = url.GetLeftPart(UriPartial.Path);
        return new DatasetRefusedException("url", shown, allowed, $"{shown} {what}. Allowed: {allowed}.");
    }
}
