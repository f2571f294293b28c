namespace Hearth.Cli;

/// <summary>Where the launcher's checkout is, and the programs that were built in it.</summary>
internal static class Repository
{
    public static string Root { get; } = Environment.GetEnvironmentVariable("HEARTH_ROOT") is { Length: > 0 } given ? given : Find();

    /// <summary>The build configuration this program came from, and so that of its siblings.</summary>
    public static string Configuration { get; } = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    public static string Coordinator => Built("Coordinator", "hearth-coordinator");

    /// <summary>Holds <c>wwwroot</c>, the built dashboard.</summary>
    public static string CoordinatorContent => Path.Combine(Root, "Coordinator");

    public static string Agent => Built("Worker/Agent", "hearth-agent");

    public static string Trainer => Built("Worker/Training", "hearth-trainer");

    private static string Built(string project, string assembly) => Path.Combine(Root, project, "bin", Configuration, "net10.0", assembly + ".dll");

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException("The repository was not found above the program. Start it with ./hearth.");
    }
}
