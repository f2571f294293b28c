using System.Net;
using System.Text;
using Hearth.Coordinator.Datasets.Imports;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Datasets;

/// <summary>What the coordinator fetches for others, and what it does not.</summary>
public sealed class FetchingAddresses : IDisposable
{
    private readonly HttpListener _server = new();
    private readonly string _address = $"http://127.0.0.1:{CoordinatorProcess.FreePort()}/";

    public FetchingAddresses()
    {
        _server.Prefixes.Add(_address);
        _server.Start();
        _ = ServeAsync();
    }

    public void Dispose() => _server.Close();

    [Theory]
    [InlineData("93.184.216.34", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("::ffff:93.184.216.34", true)]
    [InlineData("64:ff9b::5db8:d822", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.9.9.9", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::10.0.0.1", false)]
    [InlineData("64:ff9b::a00:1", false)]
    [InlineData("64:ff9b:1::1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("ff02::1", false)]
    public void Only_what_anybody_can_reach_is_public(string address, bool isPublic) => Assert.Equal(isPublic, AddressRules.IsPublic(IPAddress.Parse(address)));

    [Theory]
    [InlineData("http://example.org/a.jsonl", null)]
    [InlineData("https://example.org", null)]
    [InlineData("ftp://example.org/a", "no http or https address")]
    [InlineData("file:///etc/passwd", "no http or https address")]
    [InlineData("a.jsonl", "no http or https address")]
    [InlineData("http://me:secret@example.org/", "an address with a name and password in it")]
    public void An_address_is_looked_at_before_it_is_asked(string address, string? refusal) => Assert.Equal(refusal, AddressRules.Refusal(address));

    [Fact]
    public async Task Redirects_are_followed_to_the_file_and_its_name_is_the_last_ones()
    {
        using var fetcher = Fetcher();

        var fetched = await fetcher.FetchAsync(_address + "to/2", CancellationToken.None);
        using var text = new StreamReader(fetched.Content);

        Assert.Equal(("file 1.txt", 5, "hello"), (fetched.Name, fetched.Bytes, await text.ReadToEndAsync()));
    }

    [Theory]
    [InlineData("to/9", "redirects once more after 5 redirects. Allowed: at most 5 redirects.")]
    [InlineData("away", "redirects to no http or https address. Allowed: redirects to http or https, and from https to https alone.")]
    [InlineData("gone?key=secret", "answered 404 Not Found. Allowed: an address that answers 200.")]
    [InlineData("long", "gives 1,000 bytes. Allowed: at most 100 bytes (HEARTH_IMPORT_SOURCE_BYTES).")]
    public async Task What_cannot_be_had_is_said_without_what_the_address_may_keep_secret(string path, string message)
    {
        using var fetcher = Fetcher();

        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => fetcher.FetchAsync(_address + path, CancellationToken.None));

        Assert.EndsWith(message, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_does_not_say_how_long_it_is_ends_at_the_limit()
    {
        using var fetcher = Fetcher();
        var fetched = await fetcher.FetchAsync(_address + "endless", CancellationToken.None);

        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => fetched.Content.CopyToAsync(Stream.Null));
        await fetched.Content.DisposeAsync();

        Assert.EndsWith("gives more than 100 bytes. Allowed: at most 100 bytes (HEARTH_IMPORT_SOURCE_BYTES).", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1 may not be fetched from. ")]
    [InlineData("localhost", "127.0.0.1, and may not be fetched from. ")]
    public async Task This_machine_is_not_fetched_from_whatever_it_is_called(string host, string refusal)
    {
        using var fetcher = new UrlFetcher(new ImportSettings(100, PrivateAddresses: false));

        var refused = await Assert.ThrowsAsync<DatasetRefusedException>(() => fetcher.FetchAsync(_address.Replace("127.0.0.1", host, StringComparison.Ordinal), CancellationToken.None));

        Assert.StartsWith($"{host} ", refused.Message, StringComparison.Ordinal);
        Assert.Contains(refusal, refused.Message, StringComparison.Ordinal);
        Assert.EndsWith("Allowed: addresses of the public internet (HEARTH_IMPORT_PRIVATE_ADDRESSES=on allows others).", refused.Message, StringComparison.Ordinal);
    }

    private static UrlFetcher Fetcher() => new(new ImportSettings(100, PrivateAddresses: true));

    private async Task ServeAsync()
    {
        while (_server.IsListening)
        {
            try
            {
                var context = await _server.GetContextAsync();
                Answer(context.Request.Url!.AbsolutePath, context.Response);
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException)
            {
                // A client that has gone, or the end of the test.
            }
        }
    }

    private static void Answer(string path, HttpListenerResponse response)
    {
        if (path.StartsWith("/to/", StringComparison.Ordinal))
        {
            int left = int.Parse(path[4..], System.Globalization.CultureInfo.InvariantCulture);
            response.Redirect(left > 1 ? $"/to/{left - 1}" : "/file%201.txt");
        }
        else if (path == "/away")
        {
            response.Redirect("file:///etc/passwd");
        }
        else if (path == "/gone")
        {
            response.StatusCode = 404;
        }
        else
        {
            byte[] bytes = path == "/file%201.txt" ? Encoding.UTF8.GetBytes("hello") : new byte[1000];
            if (path == "/endless")
            {
                response.SendChunked = true;
            }
            else
            {
                response.ContentLength64 = bytes.Length;
            }

            response.OutputStream.Write(bytes);
        }

        response.Close();
    }
}
