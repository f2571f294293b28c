using System.CommandLine;

namespace Hearth.Cli.Bench;

/// <summary>How many of something a bench takes.</summary>
internal static class CountOption
{
    /// <param name="name">With its dashes.</param>
    /// <param name="description">One line of help.</param>
    /// <param name="usual">Where nobody says.</param>
    /// <param name="least">That is allowed.</param>
    /// <param name="most">That is allowed.</param>
    public static Option<int> Create(string name, string description, int usual, int least, int most)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => usual };
        option.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is var given && (given < least || given > most))
            {
                r.AddError($"{name} is {Text.Count(given)}. Allowed: {Text.Count(least)} to {Text.Count(most)}.");
            }
        });
        return option;
    }
}
