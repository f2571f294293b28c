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
            throw new BadInputException($"{path} is no JSON: {e.Message}");
        }
    }

    /// <exception cref="BadInputException">Every wrong field, one sentence each.</exception>
    public static RunSpec Read(JsonElement element, string path)
    {
        var result = RunSpecReader.Read(element);
        return result.Spec ?? throw new BadInputException($"{path}: {string.Join(" ", result.Errors.Select(e => e.Message))}");
    }
}
