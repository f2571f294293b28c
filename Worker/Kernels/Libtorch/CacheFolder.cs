namespace Hearth.Kernels;

/// <summary>Where this user's derived files lie: compiled kernels, loadable copies. All of it can be deleted at any time.</summary>
internal static class CacheFolder
{
    /// <summary><c>$XDG_CACHE_HOME/hearth</c>, else <c>~/.cache/hearth</c>, else a folder for temporary files; not made yet.</summary>
    public static string Path { get; } = Of(Environment.GetEnvironmentVariable("XDG_CACHE_HOME"), Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), System.IO.Path.GetTempPath());

    public static string Of(string? cacheHome, string home, string temporary) =>
        cacheHome is { Length: > 0 } ? System.IO.Path.Combine(cacheHome, "hearth")
        : home is { Length: > 0 } ? System.IO.Path.Combine(home, ".cache", "hearth")
        : System.IO.Path.Combine(temporary, "hearth-cache-" + Environment.UserName);
}
