using System.Globalization;
using Hearth.Coordinator.Blobs;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>An S3 server over a temporary folder, with one bucket.</summary>
public sealed class S3Server : IAsyncLifetime
{
    private const string Bucket = "hearth";
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-s3-").FullName;
    private NodeServer? _server;

    /// <summary>How to reach it; the keys are those that the server comes with.</summary>
    public S3Options Options { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        int port = NodeServer.FreePort();
        _server = await NodeServer.StartAsync(
            "s3rver/bin/s3rver.js", port, "--directory", _folder, "--address", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--configure-bucket", Bucket, "--silent");
        Options = new S3Options(new Uri($"http://127.0.0.1:{port}"), Bucket, "S3RVER", "S3RVER", "us-east-1");
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }
}
