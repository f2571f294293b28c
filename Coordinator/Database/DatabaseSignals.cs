using System.Net.Sockets;
using Hearth.Coordinator.Hosting;
using Npgsql;

namespace Hearth.Coordinator.Database;

/// <summary>Channels of NOTIFY. Payloads only say who should look again; what is true stands in tables.</summary>
public static class Channels
{
    /// <summary>A row came into <c>events</c>.</summary>
    public const string Events = "hearth_events";

    /// <summary>There are events of the generation whose id is the payload.</summary>
    public const string Generation = "hearth_generation";
}

/// <summary>The one connection of this coordinator that listens to the database, and the signals it pulses.</summary>
public sealed class DatabaseSignals(NpgsqlDataSource database, ILogger<DatabaseSignals> log) : BackgroundService
{
    // A connection that died without a word is noticed by a query after so long a silence.
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);
    private readonly SignalTable _generations = new();

    public Signal Events { get; } = new();

    public SignalTable.Listener Generation(Guid id) => _generations.Listen(id);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(stoppingToken);
            }
            catch (Exception e) when (e is NpgsqlException or SocketException or IOException or TimeoutException)
            {
                log.ListenerLost(e.Message);
                await Task.Delay(Retry, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task ListenAsync(CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        connection.Notification += (_, notice) => Pulse(notice.Channel, notice.Payload);
        await using var listen = new NpgsqlCommand($"listen {Channels.Events}; listen {Channels.Generation}", connection);
        await listen.ExecuteNonQueryAsync(stop);
        PulseAll(); // What was said before we listened was not heard.
        await using var probe = new NpgsqlCommand("select 1", connection);
        while (true)
        {
            if (!await connection.WaitAsync(Silence, stop))
            {
                await probe.ExecuteNonQueryAsync(stop);
            }
        }
    }

    private void Pulse(string channel, string payload)
    {
        switch (channel)
        {
            case Channels.Events:
                Events.Pulse();
                break;
            case Channels.Generation when Guid.TryParse(payload, out var generation):
                _generations.Pulse(generation);
                break;
        }
    }

    private void PulseAll()
    {
        Events.Pulse();
        _generations.PulseAll();
    }
}
