using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>A server out of the npm packages in <c>tests/Coordinator.Tests/stores</c>, which are installed at first use.</summary>
internal sealed class NodeServer : IAsyncDisposable
{
    // One install for all servers: two of npm's in one folder take each other's files away.
    private static readonly Lazy<Task> Packages = new(InstallAsync);

    private readonly Process _process;

    private NodeServer(Process process) => _process = process;

    /// <param name="script">Below <c>node_modules</c>.</param>
    /// <param name="port">Where it will answer, on loopback.</param>
    /// <param name="arguments">Its own.</param>
    internal static async Task<NodeServer> StartAsync(string script, int port, params string[] arguments)
    {
        await Packages.Value;
        var server = new NodeServer(Start("node", Folder(), [Path.Combine("node_modules", script), .. arguments]));
        using var http = new HttpClient();
        await Eventually.TrueAsync(() => AnswersAsync(http, port), $"{script} answers", seconds: 120);
        return server;
    }

    internal static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static async Task InstallAsync()
    {
        // npm writes this mark last, so that an install which was cut off is done again.
        var mark = new FileInfo(Path.Combine(Folder(), "node_modules", ".package-lock.json"));
        if (!mark.Exists || mark.LastWriteTimeUtc < File.GetLastWriteTimeUtc(Path.Combine(Folder(), "package-lock.json")))
        {
            using var install = Start("npm", Folder(), "ci", "--no-audit", "--no-fund");
            await install.WaitForExitAsync();
            Assert.True(install.ExitCode == 0, $"npm ci in {Folder()} gave {install.ExitCode}");
        }
    }

    private static async Task<bool> AnswersAsync(HttpClient http, int port)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{port}"));
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static Process Start(string program, string folder, params string[] arguments)
    {
        var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true })!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }

    private static string Folder() => Path.Combine(Root(), "tests", "Coordinator.Tests", "stores");

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
