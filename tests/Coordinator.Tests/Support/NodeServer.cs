using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>A server out of the npm packages in <c>tests/Coordinator.Tests/stores</c>, which are installed at first use.</summary>
internal sealed class NodeServer : IAsyncDisposable
{
    private readonly Process _process;

    private NodeServer(Process process) => _process = process;

    /// <param name="script">Below <c>node_modules</c>.</param>
    /// <param name="port">Where it will answer, on loopback.</param>
    /// <param name="arguments">Its own.</param>
    internal static async Task<NodeServer> StartAsync(string script, int port, params string[] arguments)
    {
        string folder = Path.Combine(Root(), "tests", "Coordinator.Tests", "stores");
        if (!File.Exists(Path.Combine(folder, "node_modules", script)))
        {
            using var install = Start("npm", folder, "ci", "--no-audit", "--no-fund");
            await install.WaitForExitAsync();
            Assert.True(install.ExitCode == 0, $"npm ci in {folder} gave {install.ExitCode}");
        }

        var server = new NodeServer(Start("node", folder, [Path.Combine("node_modules", script), .. arguments]));
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
