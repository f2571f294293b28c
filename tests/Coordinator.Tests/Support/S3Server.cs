using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Hearth.Coordinator.Blobs;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>An S3 server over a temporary folder, with one bucket; installed by npm at first use.</summary>
public sealed class S3Server : IAsyncLifetime
{
    private const string Bucket = "hearth";
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-s3-").FullName;
    private Process? _server;

    /// <summary>How to reach it; the keys are those that the server comes with.</summary>
    public S3Options Options { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        string package = Path.Combine(Root(), "tests", "Coordinator.Tests", "stores");
        if (!Directory.Exists(Path.Combine(package, "node_modules", "s3rver")))
        {
            using var install = Start("npm", package, "ci", "--no-audit", "--no-fund");
            await install.WaitForExitAsync();
            Assert.True(install.ExitCode == 0, $"npm ci in {package} gave {install.ExitCode}");
        }

        int port = FreePort();
        _server = Start(
            "node", package, "node_modules/s3rver/bin/s3rver.js", "--directory", _folder, "--address", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--configure-bucket", Bucket, "--silent");
        Options = new S3Options(new Uri($"http://127.0.0.1:{port}"), Bucket, "S3RVER", "S3RVER", "us-east-1");
        using var http = new HttpClient();
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    using var answer = await http.GetAsync(Options.Endpoint);
                    return true;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            "the S3 server answers",
            seconds: 60);
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            _server.Kill(entireProcessTree: true);
            await _server.WaitForExitAsync();
            _server.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static Process Start(string program, string folder, params string[] arguments)
    {
        var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true })!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("the repository's root was not found");
    }
}
