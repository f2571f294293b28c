using System.Net.Sockets;
using System.Text;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>A sender that writes all of its body before it reads anything, as most do, hears why it is refused: its connection is not closed under it.</summary>
[Collection(SharedPostgres.Name)]
public sealed class RefusingBodies(PostgresServer postgres)
{
    private const int Length = 40_000_000;

    [Fact]
    public async Task A_body_that_is_too_long_is_answered_in_words_to_who_sends_it_whole()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());

        string tooLong = await SendAsync(service, "/api/v1/runs", service.AdminToken), stranger = await SendAsync(service, "/api/v1/runs", "hth_of_nobody"), nowhere = await SendAsync(service, "/nowhere", service.AdminToken);

        Assert.StartsWith("HTTP/1.1 413 ", tooLong, StringComparison.Ordinal);
        Assert.Contains("body is 40,000,000 bytes long. Allowed: at most 16,777,216 bytes.", tooLong, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 401 ", stranger, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 405 ", nowhere, StringComparison.Ordinal);
        Assert.Contains("/nowhere takes no POST.", nowhere, StringComparison.Ordinal);
    }

    private static async Task<string> SendAsync(CoordinatorProcess service, string path, string token)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(service.Address.Host, service.Address.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {path} HTTP/1.1\r\nHost: {service.Address.Authority}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {Length}\r\nConnection: close\r\n\r\n"));
        byte[] some = new byte[1 << 16];
        Array.Fill(some, (byte)' ');
        for (int left = Length; left > 0;)
        {
            int now = Math.Min(left, some.Length);
            await stream.WriteAsync(some.AsMemory(0, now));
            left -= now;
        }

        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
