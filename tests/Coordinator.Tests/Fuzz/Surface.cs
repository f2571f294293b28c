using System.Text.Json.Nodes;

namespace Hearth.Tests.Fuzz;

/// <summary>A query value, header or part of a path that an operation takes.</summary>
internal sealed record Parameter(string Name, string In);

/// <summary>One operation of the description.</summary>
/// <param name="Method">In upper case.</param>
/// <param name="Path">With its parameters in braces.</param>
/// <param name="Parameters">All of them.</param>
/// <param name="Body">Schema of its JSON body; null = it takes none.</param>
internal sealed record Operation(string Method, string Path, IReadOnlyList<Parameter> Parameters, JsonNode? Body)
{
    public bool IsWorkers => Path.StartsWith("/api/worker/", StringComparison.Ordinal);

    public override string ToString() => $"{Method} {Path}";
}

/// <summary>The HTTP surface as its description tells it.</summary>
internal sealed class Surface(JsonNode document)
{
    // Deeper than any body of the description nests.
    private const int Deepest = 12;

    public IReadOnlyList<Operation> Operations { get; } =
    [
        .. document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(operation => new Operation(
            operation.Key.ToUpperInvariant(),
            path.Key,
            [.. (operation.Value!["parameters"]?.AsArray() ?? []).Select(p => new Parameter((string)p!["name"]!, (string)p["in"]!))],
            operation.Value["requestBody"]?["content"]?["application/json"]?["schema"]))),
    ];

    /// <summary>A body that an operation takes: every property, one entry in every list.</summary>
    /// <param name="schema">Of the body.</param>
    /// <param name="known">Values of properties by name, where the description alone does not say what is right.</param>
    public JsonNode? Example(JsonNode schema, IReadOnlyDictionary<string, Func<JsonNode?>> known) => Example(schema, known, "", 0);

    private JsonNode? Example(JsonNode schema, IReadOnlyDictionary<string, Func<JsonNode?>> known, string name, int depth)
    {
        if (known.TryGetValue(name, out var right))
        {
            return right();
        }

        schema = Resolve(schema);
        if (depth > Deepest)
        {
            return null;
        }

        if (schema["enum"] is JsonArray words)
        {
            return words[0]!.DeepClone();
        }

        if (schema["discriminator"]?["mapping"] is JsonObject mapping)
        {
            var (word, target) = mapping.First();
            var derived = Example(new JsonObject { ["$ref"] = target!.DeepClone() }, known, name, depth + 1)!.AsObject();
            derived.Remove("event");
            derived.Insert(0, "event", word);
            return derived;
        }

        if (schema["properties"] is JsonObject properties)
        {
            return new JsonObject(properties.Select(p => KeyValuePair.Create(p.Key, Example(p.Value!, known, p.Key, depth + 1))));
        }

        return Type(schema) switch
        {
            "array" => new JsonArray(Example(schema["items"]!, known, name + "[]", depth + 1)),
            "integer" => 1,
            "number" => 0.5,
            "boolean" => false,
            "object" => new JsonObject(),
            "string" when (string?)schema["format"] == "uuid" => Guid.Empty.ToString(),
            "string" when (string?)schema["format"] == "date-time" => "2026-01-01T00:00:00Z",
            "string" => "a",
            _ => null,
        };
    }

    private JsonNode Resolve(JsonNode schema)
    {
        while (true)
        {
            if ((string?)schema["$ref"] is { } target)
            {
                schema = document["components"]!["schemas"]![target.Split('/')[^1]]!;
            }
            else if ((schema["oneOf"] ?? schema["anyOf"]) is JsonArray either && schema["discriminator"] is null)
            {
                schema = either.First(s => (string?)s!["type"] != "null")!;
            }
            else
            {
                return schema;
            }
        }
    }

    private static string? Type(JsonNode schema) => schema["type"] switch
    {
        JsonArray several => several.Select(t => (string)t!).First(t => t != "null"),
        JsonValue one => (string)one!,
        _ => null,
    };
}
