using System.Collections.Immutable;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Npgsql;

namespace Hearth.Coordinator.Events;

/// <summary>Reads new events once for all streams of this coordinator and keeps the latest in memory.</summary>
public sealed class EventFeed(NpgsqlDataSource database, DatabaseSignals signals, TimeProvider clock, ILogger<EventFeed> log) : BackgroundService
{
    private const int Kept = 1000;
    private const int ReadAtOnce = 500;

    // Notifications can be lost with their connection, so the feed looks by itself now and then.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);

    // What comes alone is read at once, what comes soon after that together.
    private static readonly TimeSpan Together = TimeSpan.FromMilliseconds(25);

    // Pages call a stream lost after six quiet seconds.
    private static readonly TimeSpan Ping = TimeSpan.FromSeconds(2);
    private readonly Signal _grown = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ImmutableList<StreamEvent> _recent = [];
    private long _last;

    /// <summary>Events after <paramref name="after"/>, or from now on when it is null, without end; pings while nothing happens.</summary>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync(long? after, [EnumeratorCancellation] CancellationToken stop)
    {
        await _started.Task.WaitAsync(stop);
        long at;
        var missed = await MissedAsync(after, stop);
        if (missed is null)
        {
            // Nothing to resume from, or no longer: the page reads everything anew, then follows from here.
            at = Volatile.Read(ref _last);
            yield return Item(at, after is null ? "ping" : "reset", null);
        }
        else
        {
            at = after!.Value;
            yield return Item(at, "ping", null);
            foreach (var e in missed)
            {
                at = e.Id;
                yield return Item(e.Id, e.Kind, e);
            }
        }

        while (true)
        {
            var grown = _grown.Next;
            var recent = Volatile.Read(ref _recent);
            if (recent.Count == Kept && recent[0].Id > at + 1)
            {
                // The reader was slower than what memory holds.
                at = recent[^1].Id;
                yield return Item(at, "reset", null);
            }

            bool quiet = true;
            foreach (var e in recent.Where(e => e.Id > at))
            {
                at = e.Id;
                quiet = false;
                yield return Item(e.Id, e.Kind, e);
            }

            if (!quiet)
            {
                continue;
            }

            await Signal.WaitAsync(grown, Ping, clock, stop);
            if (!grown.IsCompleted)
            {
                yield return Item(at, "ping", null);
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var next = signals.Events.Next;
            try
            {
                await CatchUpAsync(stoppingToken);
                _started.TrySetResult();
                await Task.Delay(Together, clock, stoppingToken);
                await Signal.WaitAsync(next, Look, clock, stoppingToken);
            }
            catch (Exception e) when (e is NpgsqlException or System.Net.Sockets.SocketException or IOException or TimeoutException)
            {
                log.FeedFailed(e.Message);
                await Task.Delay(Look, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task CatchUpAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        if (!_started.Task.IsCompleted)
        {
            _last = (await EventLog.RangeAsync(session)).Last;
        }

        IReadOnlyList<StreamEvent> read;
        do
        {
            read = await EventLog.ReadAsync(session, _last, ReadAtOnce);
            if (read.Count > 0)
            {
                var grown = _recent.AddRange(read);
                Volatile.Write(ref _recent, grown.RemoveRange(0, Math.Max(0, grown.Count - Kept)));
                Volatile.Write(ref _last, read[^1].Id);
                _grown.Pulse();
            }
        }
        while (read.Count == ReadAtOnce);
    }

    /// <summary>What lies between a stream's last event and the feed; null when some of it is gone.</summary>
    private async Task<IReadOnlyList<StreamEvent>?> MissedAsync(long? after, CancellationToken stop)
    {
        if (after is not { } id)
        {
            return null;
        }

        await using var session = await DbSession.OpenAsync(database, stop);
        var (first, last) = await EventLog.RangeAsync(session);
        return id > last || id < first - 1 ? null : await EventLog.ReadAsync(session, id, EventLog.Backlog);
    }

    private static SseItem<string> Item(long id, string kind, StreamEvent? e) =>
        new(JsonSerializer.Serialize(e ?? new StreamEvent(id, kind, null, new { }), Json.Wire), kind) { EventId = id.ToString(System.Globalization.CultureInfo.InvariantCulture) };
}
