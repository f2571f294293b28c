using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Training.Commands;

/// <summary>Reads run specs strictly; all errors come at once.</summary>
internal static class Specs
{
    /// <exception cref="BadInputException">Every wrong field, one sentence each.</exception>
    public static RunSpec ReadFile(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return Read(document.RootElement, path);
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{path} is no JSON (line {e.LineNumber + 1}). A spec for the trainer is a JSON object; recipe --json writes one, and hearth train reads YAML.");
        }
    }

    /// <exception cref="BadInputException">Every wrong field, one sentence each.</exception>
    public static RunSpec Read(JsonElement element, string path)
    {
        var result = RunSpecReader.Read(element);
        return result.Spec ?? throw new BadInputException($"{path}: {string.Join(" ", result.Errors.Select(e => e.Message))}");
    }
}
