using System.Globalization;

namespace Hearth.Training.Commands;

/// <summary>The words after a command: <c>--name value</c>, <c>--flag</c> and plain words. Unknown options are refused by name.</summary>
public sealed class Arguments
{
    private readonly Dictionary<string, List<string>> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _flags = new(StringComparer.Ordinal);
    private readonly List<string> _words = [];

    private Arguments()
    {
    }

    public IReadOnlyList<string> Words => _words;

    /// <param name="args">What follows the command.</param>
    /// <param name="options">Names that take a value, with their dashes.</param>
    /// <param name="flags">Names that take none.</param>
    /// <exception cref="BadInputException">Unknown option, or a value is missing.</exception>
    public static Arguments Parse(ReadOnlySpan<string> args, string[] options, string[] flags)
    {
        var parsed = new Arguments();
        for (int i = 0; i < args.Length; i++)
        {
            string arg = args[i];
            if (flags.Contains(arg))
            {
                parsed._flags.Add(arg);
            }
            else if (options.Contains(arg))
            {
                string value = i + 1 < args.Length ? args[++i] : throw new BadInputException($"{arg} needs a value.");
                if (!parsed._values.TryAdd(arg, [value]))
                {
                    parsed._values[arg].Add(value);
                }
            }
            else if (arg.StartsWith("--", StringComparison.Ordinal))
            {
                string[] known = [.. options, .. flags];
                throw new BadInputException($"No option is called {arg}. Allowed: {(known.Length == 0 ? "none" : string.Join(", ", known))}.");
            }
            else
            {
                parsed._words.Add(arg);
            }
        }

        return parsed;
    }

    public bool Has(string flag) => _flags.Contains(flag);

    /// <summary>The value of an option, the last one where it is given more than once.</summary>
    public string? Text(string name) => Texts(name).LastOrDefault();

    /// <summary>Every value of an option that may be repeated.</summary>
    public IReadOnlyList<string> Texts(string name) => _values.TryGetValue(name, out var values) ? values : [];

    public string Required(string name) => Text(name) ?? throw new BadInputException($"{name} is missing.");

    public int Integer(string name, int otherwise, int min, int max)
    {
        if (Text(name) is not { } text)
        {
            return otherwise;
        }

        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max
            ? value
            : throw new BadInputException($"{name} is {text}. Allowed: {Runs.Words.Number(min)} to {Runs.Words.Number(max)}.");
    }

    public double Number(string name, double otherwise, double min, double max)
    {
        if (Text(name) is not { } text)
        {
            return otherwise;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value >= min && value <= max
            ? value
            : throw new BadInputException($"{name} is {text}. Allowed: {Runs.Words.Number(min)} to {Runs.Words.Number(max)}.");
    }
}
