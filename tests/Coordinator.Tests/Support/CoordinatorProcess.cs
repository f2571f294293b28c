using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Hearth.Tests.Support;

/// <summary>The real service as its own process on a free loopback port.</summary>
public sealed class CoordinatorProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly DirectoryInfo _data;
    private readonly ConcurrentQueue<string> _output = new();

    private CoordinatorProcess(Process process, Uri address, DirectoryInfo data)
    {
        (_process, Address, _data) = (process, address, data);
        process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        Http = Client(null);
    }

    /// <summary>Carries the admin token, once it is known.</summary>
    public HttpClient Http { get; private set; }

    public Uri Address { get; }

    public int Id => _process.Id;

    /// <summary>Standard output so far, by lines.</summary>
    public IReadOnlyCollection<string> Output => _output;

    /// <param name="database">Connection string.</param>
    /// <param name="token">Admin token of a database that has one already; else the first one is taken over.</param>
    /// <param name="settings">More environment.</param>
    public static async Task<CoordinatorProcess> StartAsync(string database, string? token = null, params (string Name, string Value)[] settings)
    {
        int port = FreePort();
        var data = Directory.CreateTempSubdirectory("hearth-coordinator-");
        string program = Path.Combine(AppContext.BaseDirectory, "hearth-coordinator.dll");
        var address = new Uri($"http://127.0.0.1:{port}");
        var start = new ProcessStartInfo("dotnet", [program, "--urls", address.OriginalString, "--contentRoot", AppContext.BaseDirectory]) { RedirectStandardOutput = true };
        start.Environment["HEARTH_DATABASE"] = database;
        start.Environment["HEARTH_DATA"] = data.FullName;
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        var service = new CoordinatorProcess(Process.Start(start)!, address, data);
        try
        {
            await Eventually.TrueAsync(service.IsReadyAsync, "the coordinator is ready", seconds: 60);
            service.Http = service.Client(token ?? await service.FirstTokenAsync());
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>A client of its own with this bearer token, or with none.</summary>
    public HttpClient Client(string? token)
    {
        var http = new HttpClient { BaseAddress = Address };
        http.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return http;
    }

    public string AdminToken => Http.DefaultRequestHeaders.Authorization!.Parameter!;

    public void Kill() => _process.Kill(entireProcessTree: true);

    /// <summary>Stops and goes on; both by signals, as a suspended machine would.</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (!_process.HasExited)
        {
            Kill();
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
        _data.Delete(recursive: true);
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private async Task<string> FirstTokenAsync()
    {
        const string Before = "Admin token (shown once): ";
        await Eventually.TrueAsync(() => Task.FromResult(_output.Any(l => l.StartsWith(Before, StringComparison.Ordinal))), "the first admin token is shown");
        return _output.First(l => l.StartsWith(Before, StringComparison.Ordinal))[Before.Length..];
    }

    private async Task<bool> IsReadyAsync()
    {
        if (_process.HasExited)
        {
            throw new InvalidOperationException($"the coordinator ended with {_process.ExitCode}: {string.Join('\n', _output)}");
        }

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
