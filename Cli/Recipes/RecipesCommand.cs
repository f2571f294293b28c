using System.CommandLine;
using Hearth.Api;
using Hearth.Cli.Client;

namespace Hearth.Cli.Recipes;

/// <summary><c>recipes</c>: runs and sweeps that are ready to be trained, from the folder of that name.</summary>
internal static class RecipesCommand
{
    private static string Folder => Path.Combine(Repository.Root, "recipes");

    public static Command Create() => ClientCommand.Group("recipes", "Runs and sweeps that are ready to be trained.", List(), Show(), Run());

    private static Argument<string> NameArgument() => new Argument<string>("name") { Description = "A recipe's name." }.NotEmpty("a name of ./hearth recipes list");

    private static Command List()
    {
        var command = new Command("list", "All recipes.");
        Bind(command, (_, output) =>
        {
            var all = Recipe.All(Folder);
            return output.Show(
                all.Select(r => new { r.Name, r.Kind, r.Title, r.About, r.Body }),
                _ => output.Table(["recipe", "kind", "model", "what it is"], all.Select(r => new[] { r.Name, r.Kind, r.Model, r.Title })));
        });
        return command;
    }

    private static Command Show()
    {
        var name = NameArgument();
        var command = new Command("show", "A recipe as a file to edit and submit.") { name };
        Bind(command, (parsed, output) =>
        {
            var recipe = Recipe.Find(Folder, parsed.GetRequiredValue(name));
            return output.Show(recipe.Body, _ => output.Line(File.ReadAllText(Path.Combine(Folder, recipe.FileName)).TrimEnd()));
        });
        return command;
    }

    private static Command Run()
    {
        var name = NameArgument();
        var dataset = new Option<string>("--dataset") { Description = "Of the pool, in place of the one that the recipe names." }.NotEmpty("a name of ./hearth datasets list");
        var start = new Option<string>("--start") { Description = "The checkpoint to begin with, such as r-12 or r-12@500." }.NotEmpty("r-12, or r-12@500");
        var steps = Given.Optional<int>("--steps", "In place of the recipe's.", 1, int.MaxValue);
        var command = new Command("run", "Submit a recipe.") { name, dataset, start, steps };
        ClientCommand.Bind(command, async (parsed, api, output, stop) =>
        {
            var recipe = Recipe.Find(Folder, parsed.GetRequiredValue(name));
            var body = recipe.With(parsed.GetValue(dataset), parsed.GetValue(start), parsed.GetValue(steps));
            string key = Guid.NewGuid().ToString();
            return recipe.IsSweep
                ? output.Show(await api.PostAsync<SweepSummary>("sweeps", body, stop, key), s => output.Line($"s-{s.Number}  {s.Name}  {Text.Count(s.Trials)} trials"))
                : output.Show(await api.PostAsync<RunSummary>("runs", new SubmitRun(body), stop, key), r => output.Line($"r-{r.Number}  {r.Name}  {Text.Word(r.State)}"));
        });
        return command;
    }

    // Of files alone: no pool is asked.
    private static void Bind(Command command, Func<ParseResult, Output, int> body) =>
        command.SetAction((parsed, _) => Guard.RunAsync(() => Task.FromResult(body(parsed, new Output(Console.Out, parsed.GetValue(ClientCommand.Json))))));
}
