using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Hearth.Cli.Pool;

/// <summary>Where the private cluster lives and as whom it runs. Pure.</summary>
/// <param name="Home">Folder of the cluster and, where it fits, of its socket; only its account may enter it.</param>
/// <param name="SocketFolder">Folder of the Unix socket; PostgreSQL listens nowhere else.</param>
/// <param name="Account">The account that the server runs as; null is our own.</param>
internal sealed record PostgresPlace(string Home, string SocketFolder, string? Account)
{
    // Linux keeps 108 bytes for a socket's path, and the server adds its own name to the folder's.
    private const int LongestSocketFolder = 107 - 18;
    private const string SystemFolder = "/var/lib/hearth";

    public string Data => Path.Combine(Home, "data");

    public string Connection => $"Host={SocketFolder};Username=hearth;Database=hearth;Maximum Pool Size=50";

    /// <param name="wished">The cluster's folder inside the data folder.</param>
    /// <param name="isRoot">The server refuses root, so it gets the account of Debian's package.</param>
    /// <param name="othersPass">Whether other accounts may pass through a folder.</param>
    public static PostgresPlace Of(string wished, bool isRoot, Func<string, bool> othersPass)
    {
        string home = isRoot && !Ancestors(wished).All(othersPass) ? Path.Combine(SystemFolder, "postgres-" + Short(wished)) : wished;
        string socket = Encoding.UTF8.GetByteCount(home) <= LongestSocketFolder ? home : Path.Combine("/tmp", "hearth-" + Short(wished));
        return new PostgresPlace(home, socket, isRoot ? "postgres" : null);
    }

    private static IEnumerable<string> Ancestors(string path)
    {
        for (string? folder = Path.GetDirectoryName(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            yield return folder;
        }
    }

    private static string Short(string path) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..10];
}

/// <summary>The file in which a server leaves its process id. Pure.</summary>
internal static class PostmasterFile
{
    /// <summary>
    /// True when the file names a process that is no PostgreSQL server: the one that wrote it is gone and its id was taken by
    /// another program, which the server cannot tell from a running twin and so refuses to start.
    /// </summary>
    /// <param name="text">Content of <c>postmaster.pid</c>.</param>
    /// <param name="nameOf">The command name of a process, null when there is none.</param>
    public static bool IsStale(string text, Func<int, string?> nameOf) =>
        int.TryParse(text.Split('\n')[0].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int id) && nameOf(id) is not ("postgres" or "postmaster");
}
