using Hearth.Models;

namespace Hearth.Training.Commands;

/// <summary>Options of how a looped model leaves its loop while it writes: by the published rule, where none is given.</summary>
internal static class ExitArguments
{
    public const string Threshold = "--halt-threshold", Rule = "--exit-rule", LazyPrefill = "--lazy-prefill";
    private static readonly string[] Rules = ["threshold", "cumulative"];

    /// <summary>Null for a model without a loop, and for full depth (a threshold of 1).</summary>
    /// <exception cref="BadInputException">An option is wrong, or is given and the model has no loop.</exception>
    public static ExitOptions? Read(LanguageModel model, Arguments arguments)
    {
        double threshold = arguments.Number(Threshold, new ExitOptions().Threshold, 0, 1);
        string rule = arguments.Text(Rule) ?? Rules[0];
        if (!Rules.Contains(rule))
        {
            throw new BadInputException($"{Rule} is {rule}. Allowed: {string.Join(", ", Rules)}.");
        }

        if (model is not IEarlyExit)
        {
            string? given = new[] { Threshold, Rule }.FirstOrDefault(option => arguments.Text(option) is not null) ?? (arguments.Has(LazyPrefill) ? LazyPrefill : null);
            return given is null ? null : throw new BadInputException($"{given} is set, but {model.Plan.Title} has no loop to leave early.");
        }

        return threshold < 1 ? new ExitOptions(threshold, (ExitRule)Array.IndexOf(Rules, rule), LazyPrefill: arguments.Has(LazyPrefill)) : null;
    }
}
