namespace Hearth.Cli.Demo;

/// <summary>The text that the demo trains on: the Python documentation's sources of Debian's python3-doc.</summary>
internal static class DemoText
{
    public const string Name = "python-docs";
    public const string License = "PSF License 2 (Debian package python3-doc)";
    private const string Docs = "/usr/share/doc";

    /// <exception cref="CliException">The package is missing.</exception>
    public static string Find() => Directory.Exists(Docs) && Directory.EnumerateDirectories(Docs, "python3*")
        .Select(d => Path.Combine(d, "html", "_sources"))
        .Where(d => Directory.Exists(d) && Directory.EnumerateFiles(d, "*.rst.txt", SearchOption.AllDirectories).Any())
        .Select(Resolve)
        .Order(StringComparer.Ordinal)
        .FirstOrDefault() is { } folder
            ? folder
            : throw new CliException("The Python documentation's sources are not on this machine. Install the package python3-doc.");

    // Several packages link to the one folder.
    private static string Resolve(string folder)
    {
        for (var at = new DirectoryInfo(folder); at.Parent is not null; at = at.Parent)
        {
            if (at.ResolveLinkTarget(returnFinalTarget: true) is { } target)
            {
                return Resolve(Path.Combine(target.FullName, Path.GetRelativePath(at.FullName, folder)));
            }
        }

        return Path.GetFullPath(folder);
    }
}
