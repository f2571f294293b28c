using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using Hearth.Api;
using Hearth.Coordinator.Metrics;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using MessagePack;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Hearth.Tests.Metrics;

/// <summary>Batches come as MessagePack or as JSON; both are held to the same rules, and whatever is neither is refused by what is wrong with it.</summary>
[Collection(SharedPostgres.Name)]
public sealed class ReadingBatches(DataService data) : IClassFixture<DataService>
{
    private static readonly MessagePackSerializerOptions Plain = MessagePackSerializerOptions.Standard;
    private static readonly MessagePackSerializerOptions Packed = Plain.WithCompression(MessagePackCompression.Lz4BlockArray);
    private static readonly Lease Some = new(Guid.NewGuid(), 1);

    // Points of another time than the attempt's would be refused one by one.
    private static readonly long Now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    private static MetricChunk Curve => new("loss", [1, 2, 3], [3.5f, float.NaN, 2.25f], [Now + 1, Now + 2, Now + 3]);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MessagePack_is_taken_as_JSON_is_in_blocks_or_plain(bool packed)
    {
        using var attempt = await data.PlaceAsync();
        var said = new LogLine(new DateTimeOffset(2026, 11, 30, 8, 0, 0, TimeSpan.FromHours(2)), LogLevel.Warning, "schön, 你好 🙂");

        using var points = await SendAsync(attempt, "metrics", MessagePackSerializer.Serialize(new MetricsRequest(attempt.Lease, 1, [Curve], [new SampleRecord(2, "The ", "The end")]), packed ? Packed : Plain));
        using var lines = await SendAsync(attempt, "logs", MessagePackSerializer.Serialize(new LogsRequest(attempt.Lease, 1, [said]), packed ? Packed : Plain));

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.NoContent), (points.StatusCode, lines.StatusCode));
        var taken = (await points.Content.ReadFromJsonAsync<MetricsTaken>(Json.Wire))!;
        Assert.Equal((4, 0), (taken.Taken, taken.Refused));
        var series = Assert.Single((await attempt.GetAsync<MetricsResponse>("metrics")).Series);
        Assert.Equal(Curve.Steps, series.Steps);
        Assert.Equal(Curve.UnixMilliseconds, series.UnixMilliseconds);
        Assert.Equal([3.5, double.NaN, 2.25], series.Mean.Select(m => (double)m));
        Assert.Equal("The end", Assert.Single(await attempt.GetAsync<List<SampleView>>("samples")).Text);
        var line = Assert.Single((await attempt.GetAsync<LogsResponse>("logs")).Lines);
        Assert.Equal((said.At.ToUniversalTime(), "schön, 你好 🙂"), (line.At.ToUniversalTime(), line.Text));
    }

    [Fact]
    public async Task An_agent_of_the_version_before_sends_JSON_and_is_heard()
    {
        using var attempt = await data.PlaceAsync();
        attempt.Http.DefaultRequestHeaders.Remove(ProtocolVersion.Header);
        attempt.Http.DefaultRequestHeaders.Add(ProtocolVersion.Header, $"{BatchFormat.Since - 1}");

        using var answer = await attempt.PostAsync("metrics", new MetricsRequest(attempt.Lease, 1, [Curve], []));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal([$"{ProtocolVersion.Current}"], answer.Headers.GetValues(ProtocolVersion.Header));
        Assert.Single((await attempt.GetAsync<MetricsResponse>("metrics")).Series);
    }

    public static TheoryData<string, byte[], string> Bodies()
    {
        byte[] good = MessagePackSerializer.Serialize(new LogsRequest(Some, 1, [.. Enumerable.Range(0, 50).Select(i => new LogLine(DateTimeOffset.UnixEpoch, LogLevel.Info, $"line {i}"))]), Packed);
        return new()
        {
            { "nothing", [], "It ends too early." },
            { "nil", [0xc0], "nil instead of a batch" },
            { "cut", good[..^7], "The body is not MessagePack as this route reads it:" },
            { "longer", [.. good, 0xc0, 0xc0], "goes on for 2 bytes after the batch" },
            { "JSON", Encoding.UTF8.GetBytes("""{"sequence": 1}"""), "The body is not MessagePack as this route reads it:" },
            { "noise", [.. Enumerable.Range(0, 400).Select(i => (byte)(i * 131 % 251))], "The body is not MessagePack as this route reads it:" },
            { "words for numbers", MessagePackSerializer.Serialize<object[]>([new object[] { Some.AttemptId, "one" }, "two", new object[0]], Plain), "The body is not MessagePack as this route reads it:" },
            { "a million nested lists", [.. Enumerable.Repeat((byte)0x91, 1_000_000)], "The body is not MessagePack as this route reads it:" },
            { "a list of four billion", [0x93, 0x92, 0xc0, 0x01, 0x01, 0xdd, 0xff, 0xff, 0xff, 0xff], "The body is not MessagePack as this route reads it:" },
            { "a bomb", MessagePackSerializer.Serialize(new LogsRequest(Some, 1, [new LogLine(DateTimeOffset.UnixEpoch, LogLevel.Info, new string('a', BatchBody.MostUnpackedBytes + 1))]), Packed), "The body is not MessagePack as this route reads it:" },
            { "a block that says two gigabytes", [0x92, 0xc7, 0x05, 0x62, 0xd2, 0x7f, 0xff, 0xff, 0xff, 0xc4, 0x04, 0x10, 0x61, 0x01, 0x00], "The body is not MessagePack as this route reads it:" },
        };
    }

    [Theory]
    [MemberData(nameof(Bodies))]
    public void What_is_no_batch_is_refused_by_what_is_wrong_with_it(string what, byte[] body, string expected)
    {
        var refused = Assert.Throws<BadHttpRequestException>(() => BatchBody.Unpack<LogsRequest>(body));

        Assert.True(refused.Message.Contains(expected, StringComparison.Ordinal), $"{what}: {refused.Message}");
        Assert.Equal(StatusCodes.Status400BadRequest, refused.StatusCode);
    }

    [Fact]
    public void A_small_body_of_millions_of_entries_is_refused_before_there_is_room_for_them()
    {
        byte[] lines = Pack(new LogsRequest(Some, 1, new LogLine[8 << 20]));
        byte[] columns = Pack(new MetricsRequest(Some, 1, [.. Enumerable.Repeat(new MetricChunk("loss", new long[BatchRules.MostPoints], [], []), 200)], []));

        foreach (var unpack in new Action[] { () => BatchBody.Unpack<LogsRequest>(lines), () => BatchBody.Unpack<MetricsRequest>(columns) })
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            var refused = Assert.Throws<BadHttpRequestException>(unpack);
            long room = GC.GetAllocatedBytesForCurrentThread() - before;

            Assert.Contains($"more than {BatchBudget.MostValues} entries together", refused.Message, StringComparison.Ordinal);
            Assert.True(room < 3 * BatchBody.MostUnpackedBytes, $"{room} bytes for a body of {Math.Max(lines.Length, columns.Length)}");
        }

        static byte[] Pack<T>(T batch)
        {
            byte[] body = MessagePackSerializer.Serialize(batch, Packed);
            Assert.True(body.Length < 1 << 20, $"{body.Length}");
            return body;
        }
    }

    [Fact]
    public async Task A_refusal_is_problem_json_and_stores_nothing()
    {
        using var attempt = await data.PlaceAsync();

        foreach (var (body, type, status) in new (byte[], string?, HttpStatusCode)[]
        {
            ((byte[])[0x93, 0x01], BatchFormat.MessagePack, HttpStatusCode.BadRequest),
            (Encoding.UTF8.GetBytes("{"), BatchFormat.Json, HttpStatusCode.BadRequest),
            (Encoding.UTF8.GetBytes("null"), BatchFormat.Json, HttpStatusCode.UnprocessableEntity),
            (Encoding.UTF8.GetBytes("{}"), BatchFormat.Json, HttpStatusCode.UnprocessableEntity),
            ((byte[])[0x90], BatchFormat.MessagePack, HttpStatusCode.UnprocessableEntity),
            (Encoding.UTF8.GetBytes("{}"), "text/plain", HttpStatusCode.UnsupportedMediaType),
            (Encoding.UTF8.GetBytes("{}"), "application/msgpack", HttpStatusCode.UnsupportedMediaType),
            (Encoding.UTF8.GetBytes("{}"), null, HttpStatusCode.UnsupportedMediaType),
        })
        {
            foreach (string route in new[] { "metrics", "logs" })
            {
                using var answer = await SendAsync(attempt, route, body, type);

                Assert.Equal((status, "application/problem+json", type), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, type));
            }
        }

        Assert.Empty((await attempt.GetAsync<MetricsResponse>("metrics")).Series);
        Assert.Empty((await attempt.GetAsync<LogsResponse>("logs")).Lines);
    }

    public static TheoryData<string, MetricsRequest> WrongMetrics => new()
    {
        { "sequence", new(Some, 0, [Curve], []) },
        { "chunks", new(Some, 1, [.. Enumerable.Repeat(Curve, BatchRules.MostEntries + 1)], []) },
        { "chunks' points", new(Some, 1, [.. Enumerable.Range(0, 70).Select(_ => new MetricChunk("loss", [.. Enumerable.Range(0, 1000).Select(s => (long)s)], new float[1000], new long[1000]))], []) },
        { "chunks[0].key", new(Some, 1, [Curve with { Key = "" }], []) },
        { "chunks[0].key", new(Some, 1, [Curve with { Key = "a\0b" }], []) },
        { "chunks[0].key", new(Some, 1, [Curve with { Key = new string('k', 500_000) }], []) },
        { "chunks[0]", new(Some, 1, [Curve with { Values = [1] }], []) },
        { "chunks[0].steps[2]", new(Some, 1, [Curve with { Steps = [1, 2, 2] }], []) },
        { "chunks[0].steps[0]", new(Some, 1, [Curve with { Steps = [-1, 2, 3] }], []) },
        { "samples[0].step", new(Some, 1, [], [new SampleRecord(-1, "", "")]) },
    };

    public static TheoryData<string, MetricsRequest> MissingInMetrics => new()
    {
        { "lease", new(null!, 1, [Curve], []) },
        { "chunks", new(Some, 1, null!, []) },
        { "chunks[1]", new(Some, 1, [Curve, null!], []) },
        { "chunks[0].key", new(Some, 1, [Curve with { Key = null! }], []) },
        { "chunks[0].unix_milliseconds", new(Some, 1, [Curve with { UnixMilliseconds = null! }], []) },
        { "samples", new(Some, 1, [Curve], null!) },
        { "samples[0]", new(Some, 1, [], [null!]) },
        { "samples[0].text", new(Some, 1, [], [new SampleRecord(1, "", null!)]) },
    };

    public static TheoryData<string, LogsRequest> MissingInLogs => new()
    {
        { "lease", new(null!, 1, []) },
        { "lines", new(Some, 1, null!) },
        { "lines[0]", new(Some, 1, [null!]) },
        { "lines[0].text", new(Some, 1, [new LogLine(DateTimeOffset.UnixEpoch, LogLevel.Info, null!)]) },
    };

    [Theory]
    [MemberData(nameof(WrongMetrics))]
    public async Task A_wrong_batch_of_points_is_refused_in_the_same_words_in_both_forms(string field, MetricsRequest batch)
    {
        var (packed, json) = await RefusalsAsync("metrics", batch);

        Assert.Equal((field, packed), (packed.Field, json));
    }

    [Fact]
    public async Task A_wrong_batch_of_lines_is_refused_in_the_same_words_in_both_forms()
    {
        var line = new LogLine(DateTimeOffset.UnixEpoch, LogLevel.Info, "");
        var (packed, json) = await RefusalsAsync("logs", new LogsRequest(Some, 1, [line, line with { Text = new string('x', BatchRules.LongestLine + 1) }]));

        Assert.Equal(("lines[1].text", packed), (packed.Field, json));
    }

    [Theory]
    [MemberData(nameof(MissingInMetrics))]
    public async Task What_is_missing_among_points_is_named_alike_in_both_forms(string field, MetricsRequest batch)
    {
        var (packed, json) = await RefusalsAsync("metrics", batch);

        Assert.Equal((field, field), (packed.Field, json.Field));
    }

    [Theory]
    [MemberData(nameof(MissingInLogs))]
    public async Task What_is_missing_among_lines_is_named_alike_in_both_forms(string field, LogsRequest batch)
    {
        var (packed, json) = await RefusalsAsync("logs", batch);

        Assert.Equal((field, field), (packed.Field, json.Field));
    }

    [Fact]
    public void A_level_that_there_is_not_comes_as_a_number_and_is_refused_by_it() =>
        Assert.Equal("lines[0].level is 9. Allowed: 0 (Debug), 1 (Info), 2 (Warning), 3 (Error).", BatchRules.Check(new LogsRequest(Some, 1, [new LogLine(DateTimeOffset.UnixEpoch, (LogLevel)9, "")]))!.Message);

    /// <summary>The one error that each form of a batch is refused with.</summary>
    private async Task<(FieldError Packed, FieldError Json)> RefusalsAsync<T>(string route, T batch)
        where T : class
    {
        using var attempt = await data.PlaceAsync();
        using var packed = await SendAsync(attempt, route, MessagePackSerializer.Serialize(batch, Packed));
        using var json = await attempt.PostAsync(route, batch);

        Assert.Equal((HttpStatusCode.UnprocessableEntity, HttpStatusCode.UnprocessableEntity), (packed.StatusCode, json.StatusCode));
        return (Assert.Single(await packed.ErrorsAsync()), Assert.Single(await json.ErrorsAsync()));
    }

    private static async Task<HttpResponseMessage> SendAsync(PlacedAttempt attempt, string route, byte[] body, string? type = BatchFormat.MessagePack)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = type is null ? null : new MediaTypeHeaderValue(type);
        return await attempt.Http.PostAsync(new Uri($"/api/worker/{route}", UriKind.Relative), content);
    }
}
