using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Fuzz;

/// <summary>Whatever is sent to any operation of the description: it is answered soon, never by a fault, and a refusal says what is wrong.</summary>
[Collection(SharedPostgres.Name)]
public sealed class FuzzingTheSurface(PostgresServer postgres)
{
    private const int Seed = 20261130;
    private const int Sample = 700;
    private const int LongestAnswer = 1 << 18;
    private const int LongestValue = 200;
    private const int LongestMessage = 2000;
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);

    [Fact]
    public Task A_sample_of_wrong_requests_is_answered_in_words() => FuzzAsync(cases => [.. cases.Shuffled(Seed).Take(Sample)]);

    [Fact]
    [Trait("Category", "Slow")]
    public Task Every_wrong_request_is_answered_in_words() => FuzzAsync(cases => cases);

    private async Task FuzzAsync(Func<IReadOnlyList<FuzzCase>, IReadOnlyList<FuzzCase>> choose)
    {
        await using var pool = await FuzzPool.StartAsync(postgres);
        FuzzCase[] all = [.. pool.Cases(await pool.DescribeAsync())];
        var cases = choose(all);

        // In the end everything is read once more: what was taken in must not keep anybody from reading the rest.
        var faults = new List<string>();
        foreach (var fuzz in cases.Concat(all.Where(c => c is { Name: Mutations.Right, Operation.Method: "GET" })))
        {
            if (await FaultAsync(pool, fuzz) is { } fault)
            {
                faults.Add($"{fuzz.Operation}, {fuzz.Name}: {fault}");
            }
        }

        Assert.True(faults.Count == 0, string.Create(CultureInfo.InvariantCulture, $"{faults.Count} of {cases.Count} requests:\n{string.Join('\n', faults.Take(300))}"));
    }

    private static async Task<string?> FaultAsync(FuzzPool pool, FuzzCase fuzz)
    {
        var (answer, body, took) = await pool.SendAsync(fuzz);
        using (answer)
        {
            if (Fault(answer, body) is { } fault)
            {
                return fault;
            }
        }

        // A machine that is busy is slow once; what takes the coordinator itself that long is slow each time.
        for (int again = 0; took > Soon && again < 3; again++)
        {
            var (repeated, _, repeat) = await pool.SendAsync(fuzz);
            repeated.Dispose();
            took = repeat < took ? repeat : took;
        }

        return took > Soon ? string.Create(CultureInfo.InvariantCulture, $"took {took.TotalSeconds:0.0} s") : null;
    }

    private static string? Fault(HttpResponseMessage answer, byte[] body)
    {
        int status = (int)answer.StatusCode;
        string shown = Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 300)));
        if (status < 400)
        {
            return null;
        }

        if (status >= 500)
        {
            return $"{status}: {shown}";
        }

        if (answer.Content.Headers.ContentType?.MediaType != "application/problem+json" || body.Length > LongestAnswer)
        {
            return $"{status} with {body.Length} bytes of {answer.Content.Headers.ContentType?.MediaType ?? "nothing"}";
        }

        using var problem = JsonDocument.Parse(body);
        bool ofFields = answer.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.UnsupportedMediaType or HttpStatusCode.UnprocessableEntity;
        return ofFields ? FaultOfFields(problem.RootElement) is { } fault ? $"{status}: {fault}: {shown}" : null
            : Text(problem.RootElement, "detail") is { Length: > 0 and <= LongestMessage } ? null : $"{status} without words: {shown}";
    }

    private static string? FaultOfFields(JsonElement problem)
    {
        if (!problem.TryGetProperty("errors", out var errors) || errors.ValueKind != JsonValueKind.Array || errors.GetArrayLength() == 0)
        {
            return "no field is named";
        }

        foreach (var error in errors.EnumerateArray())
        {
            if (Text(error, "field") is not { Length: > 0 and <= LongestValue } || Text(error, "value") is not { Length: <= LongestValue }
                || Text(error, "allowed") is not { Length: > 0 and <= LongestMessage } || Text(error, "message") is not { Length: > 0 and <= LongestMessage })
            {
                return "an error without field, value, what is allowed or a message, or one that is too long";
            }
        }

        return null;
    }

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
}

file static class Seeded
{
    /// <summary>In an order that the seed alone decides.</summary>
    public static T[] Shuffled<T>(this IEnumerable<T> all, int seed)
    {
        T[] order = [.. all];
        new Random(seed).Shuffle(order);
        return order;
    }
}
