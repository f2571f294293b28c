using System.Diagnostics;

namespace Hearth.Tests;

/// <summary>The repository that the tests stand in.</summary>
internal static class Repository
{
    /// <summary>Its folder.</summary>
    internal static readonly string Root = FindRoot();

    /// <summary>Paths of the files that git knows and that are there, from the root.</summary>
    internal static string[] Tracked()
    {
        using var git = Process.Start(new ProcessStartInfo("git", ["ls-files"]) { WorkingDirectory = Root, RedirectStandardOutput = true })!;
        string[] files = git.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        return [.. files.Where(f => File.Exists(Path.Combine(Root, f)))];
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("the repository's root was not found");
    }
}
