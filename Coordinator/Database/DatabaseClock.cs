using System.Net.Sockets;
using Hearth.Coordinator.Hosting;
using Npgsql;

namespace Hearth.Coordinator.Database;

/// <summary>
/// The database's clock: the one that all coordinators share, and the only one whose times may be compared across them. Between looks the
/// machine's own steady clock carries it on. Statements use <c>now()</c>; this is for what never reaches a statement.
/// </summary>
public sealed class DatabaseClock(NpgsqlDataSource database, ILogger<DatabaseClock> log) : TimeProvider, IHostedService, IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private readonly CancellationTokenSource _stop = new();
    private Task _looking = Task.CompletedTask;
    private long _offset;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Volatile.Read(ref _offset));

    /// <summary>Looks now. A look takes the middle of the time that the answer needed.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task LookAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var before = base.GetUtcNow();
        var now = await session.SingleAsync<DateTimeOffset>("select clock_timestamp()");
        var middle = before + ((base.GetUtcNow() - before) / 2);
        Volatile.Write(ref _offset, (now - middle).Ticks);
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await LookAsync(cancellationToken);
        _looking = LoopAsync(_stop.Token);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _looking;
    }

    public void Dispose() => _stop.Dispose();

    private async Task LoopAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(Period, this, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await LookAsync(stop);
            }
            catch (Exception e) when (e is NpgsqlException or SocketException or IOException or TimeoutException or OperationCanceledException)
            {
                // The last look holds until the database answers again.
                log.ClockFailed(e.Message);
            }
        }
    }
}
