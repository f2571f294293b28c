namespace Hearth.Agent;

/// <summary>A mistake on the command line or in a file that a person wrote; its message is for them.</summary>
public sealed class UsageException(string message) : Exception(message);

public enum AgentCommand
{
    Join,
    Run,
    JoinAndRun,
    Probe,
}

/// <summary>What the command line and the environment ask for, checked once.</summary>
public sealed record AgentOptions
{
    public const string Usage = """
        hearth-agent join          --coordinator URL --code CODE --data DIR [--name NAME]
        hearth-agent run           --data DIR [--coordinator URL] [--trainer PATH] [--threads N] [--simulate FILE]
        hearth-agent join-and-run  both of the above; joins only when DIR holds no token yet
        hearth-agent probe         prints this machine's devices and their readings as JSON

          --coordinator URL   address of the coordinator, for example http://192.168.1.10:7770
          --code CODE         one-time code from the dashboard's pool page
          --name NAME         name of this worker; the host name when left out
          --data DIR          folder of this agent: token, cache, work files (HEARTH_AGENT_DATA)
          --trainer PATH      hearth-trainer or hearth-trainer.dll (HEARTH_TRAINER)
          --threads N         compute threads of each trainer; 0 = libtorch's default (HEARTH_THREADS)
          --simulate FILE     JSON list of devices to claim; they train on the CPU
          HEARTH_CACHE_GB     size that the blob cache is trimmed to; 20 when not set
        """;

    public required AgentCommand Command { get; init; }
    public required string DataPath { get; init; }
    public Uri? Coordinator { get; init; }
    public string? Code { get; init; }
    public string Name { get; init; } = Environment.MachineName;
    public string? TrainerPath { get; init; }
    public string? SimulatePath { get; init; }
    public int Threads { get; init; }
    public long CacheBytes { get; init; } = 20L << 30;

    /// <exception cref="UsageException">An unknown, missing or impossible option, by name.</exception>
    public static AgentOptions Parse(IReadOnlyList<string> args, Func<string, string?> environment)
    {
        var command = args.Count == 0 ? throw new UsageException($"A command is missing.\n\n{Usage}") : args[0] switch
        {
            "join" => AgentCommand.Join,
            "run" => AgentCommand.Run,
            "join-and-run" => AgentCommand.JoinAndRun,
            "probe" => AgentCommand.Probe,
            var other => throw new UsageException($"Unknown command '{other}'; allowed: join, run, join-and-run, probe.\n\n{Usage}"),
        };
        var given = ReadPairs(args);
        string? Value(string option, string? variable) => given.GetValueOrDefault(option) ?? (variable is null ? null : environment(variable));

        var joins = command is AgentCommand.Join or AgentCommand.JoinAndRun;
        var coordinator = Value("--coordinator", "HEARTH_COORDINATOR");
        if (joins && coordinator is null)
        {
            throw new UsageException("--coordinator is missing: the address that the dashboard's join line names.");
        }

        var name = Value("--name", null) ?? Environment.MachineName;
        if (name.Length is 0 or > 64 || name.Any(c => char.IsControl(c) || c is '/' or ','))
        {
            throw new UsageException($"--name '{name}' is not allowed: 1 to 64 characters, without '/' and ','.");
        }

        return new AgentOptions
        {
            Command = command,
            Coordinator = coordinator is null ? null : ReadAddress(coordinator),
            Code = Value("--code", null) ?? (command == AgentCommand.Join ? throw new UsageException("--code is missing: the one-time code that the dashboard shows.") : null),
            Name = name,
            DataPath = Path.GetFullPath(Value("--data", "HEARTH_AGENT_DATA")
                ?? (command == AgentCommand.Probe ? "." : throw new UsageException("--data is missing: the folder where this agent keeps its token and work files."))),
            TrainerPath = Value("--trainer", "HEARTH_TRAINER"),
            SimulatePath = Value("--simulate", null),
            Threads = (int)ReadNumber("--threads", Value("--threads", "HEARTH_THREADS") ?? "0", 0, 1024),
            CacheBytes = ReadNumber("HEARTH_CACHE_GB", environment("HEARTH_CACHE_GB") ?? "20", 0, 1 << 20) << 30,
        };
    }

    private static Dictionary<string, string> ReadPairs(IReadOnlyList<string> args)
    {
        string[] known = ["--coordinator", "--code", "--name", "--data", "--trainer", "--threads", "--simulate"];
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 1; i < args.Count; i += 2)
        {
            if (!known.Contains(args[i]))
            {
                throw new UsageException($"Unknown option '{args[i]}'; allowed: {string.Join(", ", known)}.");
            }

            given[args[i]] = i + 1 < args.Count ? args[i + 1] : throw new UsageException($"{args[i]} needs a value.");
        }

        return given;
    }

    private static Uri ReadAddress(string text) =>
        Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new UsageException($"--coordinator '{text}' is not an address; allowed: http://HOST:PORT or https://HOST:PORT.");

    private static long ReadNumber(string option, string text, long least, long most) =>
        long.TryParse(text, out var number) && number >= least && number <= most
            ? number
            : throw new UsageException($"{option} '{text}' is not a number from {least} to {most}.");
}
