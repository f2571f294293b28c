using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Hearth.Coordinator.Blobs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Tests.Support;

/// <summary>The real service as its own process on a free loopback port.</summary>
public sealed class CoordinatorProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();

    private CoordinatorProcess(Process process, Uri address)
    {
        (_process, Address) = (process, address);
        process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        Http = Client(null);
    }

    /// <summary>Carries the admin token, once it is known.</summary>
    public HttpClient Http { get; private set; }

    public Uri Address { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>What it has printed so far, by lines.</summary>
    public IReadOnlyCollection<string> Output => _output;

    /// <param name="database">Connection string.</param>
    /// <param name="token">Admin token of a database that has one already; else the first one is taken over.</param>
    /// <param name="settings">More environment.</param>
    public static async Task<CoordinatorProcess> StartAsync(string database, string? token = null, params (string Name, string Value)[] settings)
    {
        int port = FreePort();
        string program = Path.Combine(AppContext.BaseDirectory, "hearth-coordinator.dll");
        var address = new Uri($"http://127.0.0.1:{port}");
        var start = new ProcessStartInfo("dotnet", [program, "--urls", address.OriginalString, "--contentRoot", AppContext.BaseDirectory]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["HEARTH_DATABASE"] = database;
        start.Environment["HEARTH_DATA"] = DataPathOf(database);
        start.Environment["HEARTH_CLUSTER_ADDRESS"] = $"127.0.0.1:{FreePort()}";
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        var service = new CoordinatorProcess(Process.Start(start)!, address);
        try
        {
            await service.ReadyAsync();
            service.Http = service.Client(token ?? await service.FirstTokenAsync());
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>A client of its own with this bearer token, or with none. It speaks the worker protocol's version.</summary>
    public HttpClient Client(string? token)
    {
        var http = new HttpClient { BaseAddress = Address };
        http.DefaultRequestHeaders.Add(ProtocolVersion.Header, ProtocolVersion.Current.ToString(CultureInfo.InvariantCulture));
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
    }

    /// <summary>
    /// Where the coordinators of a database keep their store unless a test says otherwise: one folder for all of them, now and after a restart, as the
    /// store's mark demands. It lies beside the database and goes with it.
    /// </summary>
    public static string DataPathOf(string database)
    {
        var connection = new NpgsqlConnectionStringBuilder(database);
        return Path.Combine(connection.Host!, $"data-{connection.Database}");
    }

    /// <summary>The file of a blob with this content in that store.</summary>
    public static string BlobPathOf(string database, string content) =>
        Path.Combine(DataPathOf(database), "store", BlobNames.Of(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)))));

    internal static int FreePort()
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

    // A start takes seconds, and on a machine that others load many times that; what it has said shows which of the two it was.
    private async Task ReadyAsync()
    {
        try
        {
            await Eventually.TrueAsync(IsReadyAsync, "the coordinator is ready", seconds: 180);
        }
        catch (Xunit.Sdk.XunitException e)
        {
            throw new InvalidOperationException($"{e.Message}; it has said:\n{string.Join('\n', _output)}", e);
        }
    }

    private async Task<bool> IsReadyAsync()
    {
        if (_process.HasExited)
        {
            // Now all that it printed has come.
            await _process.WaitForExitAsync();
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
