using System.Text.RegularExpressions;
using Hearth.Coordinator.Hosting;
using Hearth.Runs;

namespace Hearth.Coordinator.Datasets;

/// <summary>What holds for every dataset that is to be made. Pure.</summary>
public static partial class DatasetRules
{
    private const int MostLicenseLetters = 200;
    private const int MostPaths = 100;
    private const int LongestPath = 4096;
    private const string AllowedNames = "1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit";

    /// <summary>What is wrong with a name and a note on the license.</summary>
    public static List<FieldError> Check(string name, string license)
    {
        var errors = new List<FieldError>();
        if (!NamePattern().IsMatch(name))
        {
            errors.Add(new FieldError("name", name, AllowedNames, $"name is {(name.Length == 0 ? "missing" : name)}. Allowed: {AllowedNames}."));
        }

        if (license.Trim().Length is 0 or > MostLicenseLetters)
        {
            errors.Add(new FieldError("license", license, $"1 to {MostLicenseLetters} letters", $"license is {(license.Trim().Length == 0 ? "missing" : "too long")}. Allowed: 1 to {MostLicenseLetters} letters that say under what terms the text may be used."));
        }

        if (TextRules.Name("license", license, int.MaxValue) is { } unreadable)
        {
            errors.Add(unreadable);
        }

        return errors;
    }

    /// <summary>What is wrong with a list of paths, before any of them is looked at.</summary>
    public static IEnumerable<FieldError> CheckPaths(IReadOnlyList<string> paths) => paths.Count is 0 or > MostPaths
        ? [FieldError.Of("paths", paths.Count == 0 ? "empty" : $"a list of {Words.Number(paths.Count)}", $"1 to {MostPaths} paths")]
        : paths.Select((path, i) => TextRules.Name($"paths[{i}]", path, LongestPath)).OfType<FieldError>();

    /// <summary>The name stands for another content.</summary>
    public static FieldError Taken(string name) =>
        new("name", name, "a name that is free", $"A dataset called {name} is there already, with other content. Remove it first, or choose another name.");

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\\z")]
    private static partial Regex NamePattern();
}
