using System.Text.Json;

namespace Hearth.Cli.Pool;

/// <summary>Who holds a data folder: what a refused second <c>up</c> names.</summary>
internal sealed record PoolHolder(ProcessMark Process, int Port);

/// <summary>What the agent keeps of itself, as far as it matters here.</summary>
internal sealed record JoinedWorker(Guid WorkerId);

/// <summary>
/// The data folder of a pool on one machine, held exclusively by one <c>up</c>: <c>up.json</c> who, <c>processes.json</c> its
/// children, <c>admin.token</c>, <c>postgres/</c>, <c>store/</c>, <c>agent/</c>, <c>logs/</c>.
/// </summary>
internal sealed class PoolFolder : IDisposable
{
    private const UnixFileMode OwnerAndPassing = OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly FileStream _lock;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, ProcessMark> _children = new(StringComparer.Ordinal);

    /// <exception cref="CliException">Another <c>up</c> holds it, or it cannot be made.</exception>
    public PoolFolder(string path, int port)
    {
        Root = Path.GetFullPath(path);
        try
        {
            Directory.CreateDirectory(Root);
            // The database's account must get through to its part; the files themselves are readable to their owner alone.
            File.SetUnixFileMode(Root, OwnerAndPassing);
            Directory.CreateDirectory(LogsPath, OwnerOnly);
            _lock = new FileStream(LockPath(Root), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(LockPath(Root)))
        {
            throw new CliException(Refusal(Root, ReadHolder(Root)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"The data folder {Root} cannot be used: {e.Message} Give another with --data.", ExitCodes.BadInput);
        }

        // With the lock in hand, whoever is still named here was killed.
        Leftover = ReadHolder(Root);
        OldChildren = ReadChildren(Root);
        try
        {
            WriteWhole(HolderPath(Root), new PoolHolder(ProcessMark.Read(Environment.ProcessId)!, port));
        }
        catch (IOException e)
        {
            _lock.Dispose();
            throw new CliException($"The data folder {Root} cannot be written: {e.Message}");
        }
    }

    public string Root { get; }

    /// <summary>The <c>up</c> that ended without clearing up after itself, if one did.</summary>
    public PoolHolder? Leftover { get; }

    /// <summary>What the <c>up</c> before had started, by name.</summary>
    public IReadOnlyDictionary<string, ProcessMark> OldChildren { get; }

    public string LogsPath => Path.Combine(Root, "logs");

    public string PostgresPath => PostgresPathOf(Root);

    public string StorePath => StorePathOf(Root);

    public string AgentPath => Path.Combine(Root, "agent");

    /// <summary>The worker that this machine's agent is in the pool; null before it has joined.</summary>
    public Guid? WorkerId => Read<JoinedWorker>(Path.Combine(AgentPath, "worker.json"))?.WorkerId;

    public string TokenPath => TokenPathOf(Root);

    public static string DefaultPath { get; } = Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "hearth");

    public static string PostgresPathOf(string root) => Path.Combine(root, "postgres");

    public static string StorePathOf(string root) => Path.Combine(root, "store");

    public static string TokenPathOf(string root) => Path.Combine(root, "admin.token");

    /// <summary>Who holds the folder, as it was last written; null when nobody does.</summary>
    public static PoolHolder? ReadHolder(string root) => Read<PoolHolder>(HolderPath(root));

    /// <summary>Whether an <c>up</c> holds the folder now.</summary>
    public static bool IsHeld(string root)
    {
        try
        {
            using var probe = new FileStream(LockPath(root), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    public static string Refusal(string root, PoolHolder? holder) => holder is null
        ? $"{root} is in use by another ./hearth up. Stop that one, or give this one a folder of its own with --data."
        : $"{root} is in use by ./hearth up, process {holder.Process.Id}, on port {holder.Port}. Stop that one, or give this one a folder of its own with --data.";

    /// <summary>Remembers a child, so that the next <c>up</c> finds it should this one be killed.</summary>
    /// <exception cref="IOException">It cannot be written; what was noted before stays.</exception>
    public void Record(string name, ProcessMark? mark)
    {
        lock (_gate)
        {
            if (mark is null)
            {
                _children.Remove(name);
            }
            else
            {
                _children[name] = mark;
            }

            WriteWhole(Path.Combine(Root, "processes.json"), _children);
        }
    }

    /// <summary>Trainers that the agent's work folders name, alive or not.</summary>
    public IReadOnlyList<ProcessMark> Trainers() => !Directory.Exists(Path.Combine(AgentPath, "attempts"))
        ? []
        : [.. Directory.EnumerateFiles(Path.Combine(AgentPath, "attempts"), "trainer.json", SearchOption.AllDirectories).Select(Read<ProcessMark>).OfType<ProcessMark>()];

    /// <summary>Lets go of the folder after an orderly stop.</summary>
    public void Dispose()
    {
        File.Delete(Path.Combine(Root, "processes.json"));
        File.Delete(HolderPath(Root));
        _lock.Dispose();
    }

    private static Dictionary<string, ProcessMark> ReadChildren(string root) => Read<Dictionary<string, ProcessMark>>(Path.Combine(root, "processes.json")) ?? [];

    private static string LockPath(string root) => Path.Combine(root, "up.lock");

    private static string HolderPath(string root) => Path.Combine(root, "up.json");

    private static T? Read<T>(string path)
        where T : class
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<T>(File.ReadAllBytes(path), Json.Wire) : null;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            return null;
        }
    }

    private static void WriteWhole<T>(string path, T value) => WholeFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(value, Json.Pretty));
}
