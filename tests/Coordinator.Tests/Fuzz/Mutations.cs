using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hearth.Tests.Fuzz;

/// <summary>One request that is wrong in one thing, or right in an unusual way.</summary>
/// <param name="Operation">Which.</param>
/// <param name="Name">What was done to it, for messages.</param>
/// <param name="Query">With its question mark; empty = none.</param>
/// <param name="Header">One more header; null = none.</param>
/// <param name="Body">Null = none.</param>
/// <param name="ContentType">Of the body.</param>
internal sealed record FuzzCase(Operation Operation, string Name, string Query = "", (string Name, string Value)? Header = null, byte[]? Body = null, string ContentType = "application/json");

/// <summary>Everything that is done to a request. Raw JSON texts, since much of it no writer would write.</summary>
internal static class Mutations
{
    /// <summary>Name of the request to which nothing was done.</summary>
    internal const string Right = "as it is described";

    private const string Missing = "(missing)";
    private const string Twice = "(twice)";
    private const string Mark = "the value goes here";

    private static readonly string[] Values =
    [
        Missing, Twice, "null", "{}", "[]", "[null]", "[[]]", "[{}]", "true", "\"\"", "\" \"", "\"text\"", "\"a\\u0000b\"", "\"\\ud800\"", "\"\\udc00x\"", "\"a\\nb\"", "\"\\ufeff\"", "\"../../../etc/passwd\"", "\"NaN\"", "\"Infinity\"", "\"-Infinity\"",
        "0", "-1", "1.5", "1e2", "1e-400", "1e400", "-1e400", "2147483648", "-9223372036854775808", "9223372036854775807", "9223372036854775808", "99999999999999999999999999", "\"0001-01-01T00:00:00+14:00\"", "\"9999-12-31T23:59:59-14:00\"",
    ];

    private static readonly string[] QueryValues =
        ["", "abc", "0", "-1", "1.5", "1e2", "2147483648", "9223372036854775807", "-9223372036854775808", "99999999999999999999", "NaN", "%00", "a%00b", "%ed%a0%80", "%ff%fe", "%25", "_%25%5C", "a,b,,c", "%F0%9F%92%A5", "../..", new string('x', 5000)];

    /// <summary>Every mutation of an operation, in an order that a seed does not change.</summary>
    /// <param name="operation">Which.</param>
    /// <param name="body">A body that it takes; null = it takes none.</param>
    public static IEnumerable<FuzzCase> Of(Operation operation, JsonNode? body)
    {
        byte[]? right = body is null ? null : Encoding.UTF8.GetBytes(body.ToJsonString());
        yield return new FuzzCase(operation, Right, Body: right);
        foreach (var parameter in operation.Parameters.Where(p => p.In == "query"))
        {
            foreach (string value in QueryValues)
            {
                yield return new FuzzCase(operation, $"?{parameter.Name}={Short(value)}", $"?{parameter.Name}={value}", Body: right);
            }

            yield return new FuzzCase(operation, $"?{parameter.Name} twice", $"?{parameter.Name}=1&{parameter.Name}=2", Body: right);
        }

        foreach (var parameter in operation.Parameters.Where(p => p.In == "header"))
        {
            foreach (string value in new[] { " ", "ä", new string('x', 5000), "a,b", "\"" })
            {
                yield return new FuzzCase(operation, $"{parameter.Name}: {Short(value)}", Header: (parameter.Name, value), Body: right);
            }
        }

        if (body is not null)
        {
            foreach (var mutated in OfWhole(operation, right!).Concat(OfProperties(operation, body)))
            {
                yield return mutated;
            }
        }
    }

    private static IEnumerable<FuzzCase> OfWhole(Operation operation, byte[] right)
    {
        FuzzCase With(string name, byte[] body, string type = "application/json") => new(operation, name, Body: body, ContentType: type);
        foreach (string text in new[] { "", " ", "null", "{}", "[]", "3", "\"x\"", "true", "{", "[{", "nul", "{\"a\":1,}", "{'a':1}", "\u0000", "{\"\\ud800\":1}", "{\"\":1}", "{\"\\u0000\":1}" })
        {
            yield return With($"body {text}", Encoding.UTF8.GetBytes(text));
        }

        for (int i = 1; i <= 4; i++)
        {
            yield return With($"cut at {right.Length * i / 5}", right[..(right.Length * i / 5)]);
        }

        yield return With("a byte that is no UTF-8", [.. "{\"a\":\""u8, 0xff, .. "\"}"u8]);
        yield return With("a byte order mark", [0xef, 0xbb, 0xbf, .. right]);
        yield return With("300,000 unknown keys", Encoding.UTF8.GetBytes($"{{{string.Join(',', Enumerable.Range(0, 300_000).Select(i => string.Create(CultureInfo.InvariantCulture, $"\"key{i}\":1")))}}}"));
        yield return With("10,000 lists in each other", Encoding.UTF8.GetBytes(new string('[', 10_000) + new string(']', 10_000)));
        yield return With("a name of 10 MB", Encoding.UTF8.GetBytes($"{{\"{new string('n', 10_000_000)}\":1}}"));
        yield return With("17 MB", Encoding.UTF8.GetBytes($"\"{new string('n', 17_000_000)}\""));
        foreach (string type in new[] { "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "application/json; charset=utf-16", "application/octet-stream", "" })
        {
            yield return With($"Content-Type: {type}", right, type);
        }
    }

    private static IEnumerable<FuzzCase> OfProperties(Operation operation, JsonNode body)
    {
        foreach (string path in Paths(body).ToList())
        {
            foreach (string value in Values.Concat(Nearly(At(body, path))).Concat(Large(At(body, path), path is "/spec" or "/spec/model" or "/spec/run" ? 300_000 : 20_000)))
            {
                yield return new FuzzCase(operation, $"{path} = {Short(value)}", Body: Encoding.UTF8.GetBytes(Put(body, path, value)));
            }
        }
    }

    // What is right but for a letter passes more checks than what is wrong altogether.
    private static IEnumerable<string> Nearly(JsonNode? there) =>
        there is JsonValue value && value.TryGetValue(out string? text) ? new[] { $"{text}\0", $"{text}\n", $"{text}/", $"{text} ", $"\u00a0{text}", "..", "." }.Select(t => JsonSerializer.Serialize(t)) : [];

    private static IEnumerable<string> Large(JsonNode? there, int keys)
    {
        yield return $"\"{new string('s', 300_000)}\"";
        yield return $"{new string('[', 500)}{new string(']', 500)}";
        yield return $"[{string.Join(',', Enumerable.Repeat(there is JsonArray { Count: > 0 } list ? list[0]?.ToJsonString() ?? "null" : "\"tag\"", 20_000))}]";
        yield return $"{{{string.Join(',', Enumerable.Range(0, keys).Select(i => string.Create(CultureInfo.InvariantCulture, $"\"key{i}\":{i}")))}}}";
        yield return $"[\"{new string('t', 100_000)}\"]";
    }

    // JSON pointers of all properties and of first entries.
    private static IEnumerable<string> Paths(JsonNode? node, string at = "") => node switch
    {
        JsonObject map => map.SelectMany(p => Paths(p.Value, $"{at}/{p.Key}").Prepend($"{at}/{p.Key}")),
        JsonArray { Count: > 0 } list => Paths(list[0], $"{at}/0").Prepend($"{at}/0"),
        _ => [],
    };

    private static JsonNode? At(JsonNode body, string path) => path.Split('/').Skip(1).Aggregate((JsonNode?)body, (node, part) => node is JsonArray list ? list[0] : node![part]);

    private static string Put(JsonNode body, string path, string value)
    {
        var copy = body.DeepClone();
        string parent = path[..path.LastIndexOf('/')], name = path[(parent.Length + 1)..];
        var holder = parent.Length == 0 ? copy : At(copy, parent);
        if (value == Missing)
        {
            if (holder is JsonObject from)
            {
                from.Remove(name);
            }

            return copy.ToJsonString();
        }

        string before = At(copy, path)?.ToJsonString() ?? "null";
        if (holder is JsonArray list)
        {
            list[0] = Mark;
        }
        else
        {
            holder![name] = Mark;
        }

        string text = copy.ToJsonString(), mark = JsonSerializer.Serialize(Mark);
        return text.Replace(mark, value == Twice ? holder is JsonArray ? $"{before},{before}" : $"{before},{JsonSerializer.Serialize(name)}:{before}" : value, StringComparison.Ordinal);
    }

    private static string Short(string text) => text.Length <= 40 ? text : $"{text[..20]}… ({text.Length} characters)";
}
