using System.Net;
using System.Net.Sockets;

namespace Hearth.Cli.Pool;

/// <summary>What a pool on one machine is started with.</summary>
internal sealed record PoolOptions
{
    public const int DefaultPort = 7770;

    public required string DataPath { get; init; }

    public int Port { get; init; } = DefaultPort;

    /// <summary>The address that the coordinator listens on; all of the machine's, so that others can join.</summary>
    public string Listen { get; init; } = "0.0.0.0";

    /// <summary>An existing PostgreSQL; null starts a private one in the data folder.</summary>
    public string? Database { get; init; } = Environment.GetEnvironmentVariable("HEARTH_DATABASE") is { Length: > 0 } given ? given : null;

    public string WorkerName { get; init; } = Environment.MachineName;

    /// <summary>Compute threads of each trainer; 0 = libtorch's default.</summary>
    public int Threads { get; init; }

    /// <summary>A pool for one demo, bench or test: its own temporary folder and port, reachable from this machine alone.</summary>
    public static PoolOptions Private(string? data = null, int? port = null) => new()
    {
        DataPath = data ?? Directory.CreateTempSubdirectory("hearth-").FullName,
        Port = port ?? FreePort(),
        Listen = "127.0.0.1",
        Database = null,
        WorkerName = "local",
        Threads = 1,
    };

    /// <exception cref="CliException">Another program listens there.</exception>
    public void CheckPort()
    {
        using var probe = new TcpListener(IPAddress.Parse(Listen), Port);
        try
        {
            probe.Start();
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse)
        {
            throw new CliException($"Port {Port} is in use by another program. Stop that program, or give another port with --port.", ExitCodes.BadInput);
        }
        catch (SocketException e)
        {
            throw new CliException($"Port {Port} on {Listen} cannot be listened on: {e.Message}. Give another with --port.", ExitCodes.BadInput);
        }
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
