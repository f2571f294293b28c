using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Hearth.Tests.Support;

/// <summary>The real service as its own process on a free loopback port.</summary>
public sealed class CoordinatorProcess : IAsyncDisposable
{
    private readonly Process _process;

    private CoordinatorProcess(Process process, HttpClient http) => (_process, Http) = (process, http);

    public HttpClient Http { get; }

    public int Id => _process.Id;

    public static async Task<CoordinatorProcess> StartAsync(string database)
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        int port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        string program = Path.Combine(AppContext.BaseDirectory, "hearth-coordinator.dll");
        var start = new ProcessStartInfo("dotnet", [program, "--urls", $"http://127.0.0.1:{port}", "--contentRoot", AppContext.BaseDirectory]) { RedirectStandardOutput = true };
        start.Environment["HEARTH_DATABASE"] = database;
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        var service = new CoordinatorProcess(process, http);
        var deadline = DateTime.UtcNow.AddSeconds(30);
        while (!await service.IsReadyAsync())
        {
            if (process.HasExited || DateTime.UtcNow > deadline)
            {
                await service.DisposeAsync();
                throw new InvalidOperationException($"the coordinator did not become ready (exited: {process.HasExited})");
            }

            await Task.Delay(50);
        }

        return service;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var response = await Http.GetAsync(new Uri("/readyz", UriKind.Relative));
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
