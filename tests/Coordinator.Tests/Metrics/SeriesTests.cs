using System.Net;
using System.Text.Json;
using Hearth.Api;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Metrics;

[Collection(SharedPostgres.Name)]
public sealed class SeriesTests(DataService data) : IClassFixture<DataService>
{
    private static readonly long Now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    [Fact]
    public async Task Points_come_back_as_they_were_sent_and_NaN_by_name()
    {
        using var attempt = await data.PlaceAsync();
        await SendAsync(attempt, 1, new MetricChunk("loss", [1, 2, 3], [3.5f, float.NaN, float.PositiveInfinity], Times(3)));

        string raw = await data.Service.Http.GetStringAsync(new Uri($"/api/v1/runs/{attempt.RunId}/metrics", UriKind.Relative));
        var series = Assert.Single(JsonSerializer.Deserialize<MetricsResponse>(raw, Json.Wire)!.Series);

        Assert.Contains("""[3.5,"NaN","Infinity"]""", raw, StringComparison.Ordinal);
        Assert.Equal(("loss", 1), (series.Key, series.BucketSteps));
        Assert.Equal([1, 2, 3], series.Steps);
        Assert.Equal(Times(3), series.UnixMilliseconds);
        Assert.Equal(series.Mean, series.Min);
        Assert.Equal(series.Mean, series.Max);
    }

    [Fact]
    public async Task A_batch_counts_once_and_the_run_shows_its_last_values()
    {
        using var attempt = await data.PlaceAsync();
        var batch = new MetricsRequest(
            attempt.Lease, 1, [new MetricChunk("loss", [1, 2], [3, 2], Times(2)), new MetricChunk("tokens", [1, 2], [64, 128], Times(2)), new MetricChunk("tokens_per_second", [2], [900], Times(1))], [new SampleRecord(2, "The ", "The end")]);

        var first = await attempt.PostAsync<MetricsTaken>("metrics", batch);
        var repeat = await attempt.PostAsync<MetricsTaken>("metrics", batch);

        Assert.Equal((6, 0, 0), (first.Taken, first.Refused, repeat.Taken));
        Assert.Equal(1, await data.CountAsync("metric_tail", attempt.RunId));
        Assert.Equal("The end", Assert.Single(await attempt.GetAsync<List<SampleView>>("samples")).Text);
        Assert.Equal(
            "2 2 128 900 {3,2}",
            await data.ScalarAsync<string>("select concat_ws(' ', step, loss, tokens, tokens_per_second, sparkline::text) from runs where id = $1", attempt.RunId));
    }

    [Fact]
    public async Task Steps_repeated_after_a_resume_or_a_roll_back_count_as_they_came_last_in_every_bucket()
    {
        using var attempt = await data.PlaceAsync();
        await SendAsync(attempt, 1, Line("loss", 1, 3000, 1));
        await SendAsync(attempt, 2, Line("loss", 2501, 2600, 2));
        await attempt.PlaceAgainAsync();
        await SendAsync(attempt, 1, Line("loss", 2001, 2200, 3));
        float Expected(long step) => step is >= 2001 and <= 2200 ? 3 : step is >= 2501 and <= 2600 ? 2 : 1;

        foreach (int points in new[] { 10_000, 900, 47, 12, 3, 1 })
        {
            var series = Assert.Single((await attempt.GetAsync<MetricsResponse>($"metrics?points={points}")).Series);
            Assert.InRange(series.Steps.Count, 1, points);
            for (int i = 0; i < series.Steps.Count; i++)
            {
                long start = series.Steps[i] / series.BucketSteps * series.BucketSteps;
                float[] values = [.. Enumerable.Range((int)Math.Max(1, start), (int)(Math.Min(3001, start + series.BucketSteps) - Math.Max(1, start))).Select(s => Expected(s))];
                Assert.Equal((values.Average(), values.Min(), values.Max()), (series.Mean[i], series.Min[i], series.Max[i]), new Near());
            }
        }
    }

    [Fact]
    public async Task A_part_of_a_series_comes_in_whole_buckets()
    {
        using var attempt = await data.PlaceAsync();
        await SendAsync(attempt, 1, Line("loss", 0, 999, 1), Line("lr", 0, 999, 2));

        var series = Assert.Single((await attempt.GetAsync<MetricsResponse>("metrics?keys=loss&from=500&to=900&points=10")).Series);

        Assert.Equal(64, series.BucketSteps);
        Assert.Equal([448, 512, 576, 640, 704, 768, 832, 896], series.Steps);
    }

    [Fact]
    public async Task Stale_and_malformed_batches_are_refused()
    {
        using var attempt = await data.PlaceAsync();
        async Task<HttpStatusCode> StatusAsync(string route, object body)
        {
            using var response = await attempt.PostAsync(route, body);
            return response.StatusCode;
        }

        Assert.Equal(HttpStatusCode.Conflict, await StatusAsync("metrics", new MetricsRequest(attempt.Stale, 1, [Line("loss", 1, 2, 1)], [])));
        Assert.Equal(HttpStatusCode.Conflict, await StatusAsync("logs", new LogsRequest(attempt.Stale, 1, [Said("late")])));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await StatusAsync("metrics", new MetricsRequest(attempt.Lease, 1, [new MetricChunk("loss", [2, 1], [1, 1], [1, 1])], [])));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await StatusAsync("metrics", new MetricsRequest(attempt.Lease, 1, [new MetricChunk("loss", [1, 2], [1], [1, 1])], [])));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await StatusAsync("metrics", new MetricsRequest(attempt.Lease, 1, [new MetricChunk("", [1], [1], [1])], [])));

        Assert.Empty((await attempt.GetAsync<MetricsResponse>("metrics")).Series);
        Assert.Empty((await attempt.GetAsync<LogsResponse>("logs")).Lines);
    }

    [Fact]
    public async Task Points_that_an_attempt_cannot_have_are_refused_one_by_one_and_told()
    {
        using var attempt = await data.PlaceAsync();
        await data.ExecuteAsync($"update attempts set first_step = 1472 where id = '{attempt.Lease.AttemptId}'");
        var batch = new MetricsRequest(
            attempt.Lease,
            1,
            [
                new MetricChunk("loss", [1, 1472, 1473, 1474, 1_000_000, 1_000_001], [1, 2, 3, 4, 5, 6], [Now, Now, 9_000_000_000_000_000_000, Now, Now, Now]),
                new MetricChunk("lr", [1473], [1], [1]),
            ],
            [new SampleRecord(301, "a", "b"), new SampleRecord(1500, "c", "d")]);

        var taken = await attempt.PostAsync<MetricsTaken>("metrics", batch);

        Assert.Equal((4, 5), (taken.Taken, taken.Refused));
        Assert.Equal("loss is of step 1. Allowed in this attempt: 1,472 to 1,000,000.", taken.Reasons[0]);
        Assert.StartsWith("loss has the time 9000000000000000000 at step 1,473. Allowed: ", taken.Reasons[1], StringComparison.Ordinal);
        Assert.Equal([1472, 1474], Assert.Single((await attempt.GetAsync<MetricsResponse>("metrics?to=2000&points=1000")).Series).Steps);
        Assert.Equal(1500, Assert.Single(await attempt.GetAsync<List<SampleView>>("samples")).Step);
        Assert.Equal(1_000_000, await data.ScalarAsync<long>("select step from runs where id = $1", attempt.RunId));
    }

    [Fact]
    public async Task Log_lines_are_numbered_once_paged_and_searched()
    {
        using var attempt = await data.PlaceAsync();
        var first = new LogsRequest(attempt.Lease, 1, [Said("one"), Said("Two\0"), Said("three")]);
        (await attempt.PostAsync("logs", first)).EnsureSuccessStatusCode();
        (await attempt.PostAsync("logs", first)).EnsureSuccessStatusCode();
        await attempt.PlaceAgainAsync();
        (await attempt.PostAsync("logs", new LogsRequest(attempt.Lease, 1, [Said("four"), Said("twofold", LogLevel.Warning)]))).EnsureSuccessStatusCode();

        var page = await attempt.GetAsync<LogsResponse>("logs?limit=2");
        var rest = await attempt.GetAsync<LogsResponse>($"logs?after={page.Next}&limit=3");

        Assert.Equal([(1, "one"), (2, "Two\uFFFD")], page.Lines.Select(l => (l.Id, l.Text)));
        Assert.Equal([(3, 1, "three"), (4, 2, "four"), (5, 2, "twofold")], rest.Lines.Select(l => (l.Id, l.Attempt, l.Text)));
        Assert.Null(rest.Next);
        Assert.Equal([2L, 5L], (await attempt.GetAsync<LogsResponse>("logs?q=TWO")).Lines.Select(l => l.Id));
        Assert.Equal(LogLevel.Warning, Assert.Single((await attempt.GetAsync<LogsResponse>("logs?q=two&attempt=2")).Lines).Level);
    }

    private static LogLine Said(string text, LogLevel level = LogLevel.Info) => new(DateTimeOffset.UnixEpoch, level, text);

    private static MetricChunk Line(string key, int first, int last, float value)
    {
        long[] steps = [.. Enumerable.Range(first, last - first + 1).Select(s => (long)s)];
        return new MetricChunk(key, steps, [.. steps.Select(_ => value)], Times(steps.Length));
    }

    private static long[] Times(int count) => [.. Enumerable.Range(1, count).Select(i => Now + i)];

    private static async Task SendAsync(PlacedAttempt attempt, long sequence, params MetricChunk[] chunks) =>
        (await attempt.PostAsync("metrics", new MetricsRequest(attempt.Lease, sequence, chunks, []))).EnsureSuccessStatusCode();

    private sealed class Near : IEqualityComparer<(float Mean, float Min, float Max)>
    {
        public bool Equals((float Mean, float Min, float Max) x, (float Mean, float Min, float Max) y) =>
            Math.Abs(x.Mean - y.Mean) < 1e-5 && x.Min == y.Min && x.Max == y.Max;

        public int GetHashCode((float Mean, float Min, float Max) obj) => 0;
    }
}
