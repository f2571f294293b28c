using System.Net.ServerSentEvents;
using System.Text.Json;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests;

[Collection(SharedPostgres.Name)]
public sealed class EventStreamTests(PostgresServer postgres) : IAsyncLifetime
{
    private string _database = "";
    private CoordinatorProcess _service = null!;

    public async Task InitializeAsync()
    {
        _service = await CoordinatorProcess.StartAsync(_database = await postgres.CreateDatabaseAsync());
        await _service.AddDatasetAsync();
    }

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task A_stream_tells_changes_and_resumes_where_it_broke_off()
    {
        long begun = await FirstIdAsync(null);
        var first = await _service.SubmitAsync(Pool.Spec("first"));
        var seen = await ReadAsync(begun, e => Is(e, "run", "first"));
        await _service.SubmitAsync(Pool.Spec("second"));
        await _service.ActAsync(first, "cancel");

        var resumed = await ReadAsync(long.Parse(seen[^1].EventId!, System.Globalization.CultureInfo.InvariantCulture), e => Is(e, "note", null));

        Assert.DoesNotContain(resumed, e => e.EventId == seen[^1].EventId && e.EventType != "ping");
        Assert.Contains(resumed, e => Is(e, "run", "second"));
        Assert.Contains(resumed, e => Is(e, "run", "first") && e.Data.Contains("\"state\":\"cancelled\"", StringComparison.Ordinal));
        var ids = resumed.Where(e => e.EventType != "ping").Select(e => long.Parse(e.EventId!, System.Globalization.CultureInfo.InvariantCulture)).ToList();
        Assert.Equal(ids.Distinct().Order(), ids);
    }

    [Fact]
    public async Task A_stream_that_is_too_far_behind_is_told_to_start_anew()
    {
        await _service.SubmitAsync(Pool.Spec("first"));
        await _service.SubmitAsync(Pool.Spec("second"));
        await using var database = NpgsqlDataSource.Create(_database);
        await using var trim = database.CreateCommand("delete from events where id < (select max(id) from events)");
        await trim.ExecuteNonQueryAsync();

        Assert.Equal("reset", (await ReadAsync(0, _ => true))[0].EventType);
        Assert.Equal("reset", (await ReadAsync(1_000_000, _ => true))[0].EventType);
    }

    [Fact]
    public async Task A_quiet_stream_pings()
    {
        var events = await ReadAsync(null, e => e.EventType == "ping", count: 2);

        Assert.Equal(2, events.Count(e => e.EventType == "ping"));
    }

    private static bool Is(SseItem<string> e, string kind, string? name)
    {
        using var data = JsonDocument.Parse(e.Data);
        return e.EventType == kind && data.RootElement.GetProperty("kind").GetString() == kind
            && (name is null || data.RootElement.GetProperty("data").GetProperty("name").GetString() == name);
    }

    private async Task<long> FirstIdAsync(long? after) => long.Parse((await ReadAsync(after, _ => true))[0].EventId!, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Reads until so many events are as wanted; all that came.</summary>
    private async Task<List<SseItem<string>>> ReadAsync(long? after, Func<SseItem<string>, bool> wanted, int count = 1)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/events");
        if (after is { } id)
        {
            request.Headers.Add("Last-Event-ID", id.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        using var response = await _service.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
        response.EnsureSuccessStatusCode();
        await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
        var events = new List<SseItem<string>>();
        await foreach (var e in SseParser.Create(body).EnumerateAsync(limit.Token))
        {
            events.Add(e);
            count -= wanted(e) ? 1 : 0;
            if (count == 0)
            {
                break;
            }
        }

        return events;
    }
}
