using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Runs;

namespace Hearth.Cli.Recipes;

/// <summary>A file of <c>recipes/</c>: a run or a sweep as it is submitted, with its title and what it is in the comments on top.</summary>
/// <param name="Name">The file's, without its ending.</param>
/// <param name="Title">The first comment.</param>
/// <param name="About">The further ones, a sentence or two and what to put in for the data.</param>
/// <param name="Body">The run or the sweep.</param>
internal sealed record Recipe(string Name, string Title, string About, JsonObject Body)
{
    private const string Ending = ".yaml";
    private const string Comment = "# ";

    public string FileName => Name + Ending;

    /// <summary>Whether it is a sweep; else it is a run.</summary>
    public bool IsSweep => Body.ContainsKey("space");

    /// <summary>The run that it trains, or that its trials vary.</summary>
    public JsonObject Spec => IsSweep ? Body["spec"]!.AsObject() : Body;

    public string Kind => IsSweep ? "sweep" : Spec["task"]?.GetValue<string>() ?? RunTasks.Pretrain;

    public string Model => $"{Spec["model"]?["family"]} {Spec["model"]?["size"]}";

    /// <summary>All of them, by name.</summary>
    /// <exception cref="CliException">The folder is not there, or a file is no recipe.</exception>
    public static IReadOnlyList<Recipe> All(string folder) => Directory.Exists(folder)
        ? [.. Directory.GetFiles(folder, "*" + Ending).Order(StringComparer.Ordinal).Select(Read)]
        : throw new CliException($"There is no folder {folder}.", ExitCodes.BadInput);

    /// <exception cref="CliException">None has this name; says which ones there are.</exception>
    public static Recipe Find(string folder, string name)
    {
        var all = All(folder);
        string[] names = [.. all.Select(r => r.Name)];
        return all.FirstOrDefault(r => r.Name == name)
            ?? throw new CliException($"No recipe is called {name}.{(Words.Nearest(name, names) is { } near ? $" Nearest: {near}." : "")} Allowed: {string.Join(", ", names)}.", ExitCodes.BadInput);
    }

    /// <summary>The same on another dataset, from another checkpoint, with other steps; what is null stays.</summary>
    /// <exception cref="CliException">It tunes a checkpoint, and none is given.</exception>
    public JsonElement With(string? dataset, string? start, int? steps)
    {
        var changed = this with { Body = Body.DeepClone().AsObject() };
        var spec = changed.Spec;
        if (start is not null || spec.ContainsKey("start_from"))
        {
            spec["start_from"] = start ?? throw new CliException($"{Name} begins with a checkpoint. Give it with --start, such as r-12 or r-12@500.", ExitCodes.BadInput);
        }

        if (dataset is not null)
        {
            spec["data"]!["dataset"] = dataset;
        }

        if (steps is { } given)
        {
            spec["train"]!["steps"] = given;
        }

        return JsonSerializer.SerializeToElement(changed.Body, Json.Wire);
    }

    private static Recipe Read(string path)
    {
        string[] comments = [.. File.ReadLines(path).TakeWhile(line => line.StartsWith(Comment, StringComparison.Ordinal)).Select(line => line[Comment.Length..])];
        try
        {
            return comments.Length > 0 && YamlFile.Read(path) is JsonObject body && body["name"] is not null
                ? new Recipe(Path.GetFileNameWithoutExtension(path), comments[0], string.Join(' ', comments[1..]), body)
                : throw new CliException($"{path} is no recipe. Allowed: comments that say what it is, then a run or a sweep.", ExitCodes.BadInput);
        }
        catch (InvalidDataException e)
        {
            throw new CliException(e.Message, ExitCodes.BadInput);
        }
    }
}
