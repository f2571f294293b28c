using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hearth.Cli;

/// <summary>Reads a YAML file as JSON, by YAML 1.2's core schema: plain numbers, booleans and nulls are typed, quoted ones are text.</summary>
internal static class YamlFile
{
    private const int MostNodes = 10_000;
    private const int MostBytes = 1 << 20;

    /// <exception cref="InvalidDataException">The file is no YAML; says line and column.</exception>
    public static JsonNode? Read(string path)
    {
        if (new FileInfo(path) is { Exists: true, Length: > MostBytes } file)
        {
            throw new InvalidDataException($"{path} has {file.Length:N0} bytes. Allowed: at most {MostBytes:N0}.");
        }

        using var reader = new StreamReader(path);
        var stream = new YamlStream();
        try
        {
            stream.Load(reader);
        }
        catch (YamlException e)
        {
            throw new InvalidDataException($"{path}, line {e.Start.Line}, column {e.Start.Column}: {e.Message}");
        }

        int left = MostNodes;
        return stream.Documents.Count == 1
            ? Convert(stream.Documents[0].RootNode, path, ref left)
            : throw new InvalidDataException($"{path} has {stream.Documents.Count} documents. Allowed: one.");
    }

    // An alias stands for all that it names, so that a few lines of them can stand for billions of values.
    private static JsonNode? Convert(YamlNode node, string path, ref int left)
    {
        if (--left < 0)
        {
            throw new InvalidDataException($"{path} has more values than {MostNodes:N0}, with those that aliases stand for. Allowed: at most so many.");
        }

        switch (node)
        {
            case YamlMappingNode map:
                var members = new JsonObject();
                foreach (var (key, value) in map.Children)
                {
                    string name = (key as YamlScalarNode)?.Value ?? throw new InvalidDataException($"{path}, line {key.Start.Line}: a {key.NodeType} cannot be a key.");
                    members.Add(name, Convert(value, path, ref left));
                }

                return members;
            case YamlSequenceNode list:
                var entries = new JsonArray();
                foreach (var entry in list.Children)
                {
                    entries.Add(Convert(entry, path, ref left));
                }

                return entries;
            case YamlScalarNode { Style: ScalarStyle.Plain } plain:
                return Plain(plain.Value!);
            case YamlScalarNode text:
                return JsonValue.Create(text.Value);
            default:
                throw new InvalidDataException($"{path}, line {node.Start.Line}: a {node.NodeType} is not allowed here.");
        }
    }

    private static JsonNode? Plain(string text) => text switch
    {
        "" or "~" or "null" => null,
        "true" => JsonValue.Create(true),
        "false" => JsonValue.Create(false),
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) => JsonValue.Create(whole),
        _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) => JsonValue.Create(number),
        _ => JsonValue.Create(text),
    };
}
