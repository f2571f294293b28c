namespace Hearth.Cli;

/// <summary>Asking for help in words: <c>help</c>, <c>help train</c>, or nothing at all.</summary>
public static class HelpWords
{
    /// <returns>The arguments with the option that prints it; others as they are.</returns>
    public static string[] Of(string[] arguments) => arguments switch
    {
        [] => ["--help"],
        ["help", .. var rest] => [.. rest, "--help"],
        _ => arguments,
    };
}
