using System.Globalization;

namespace Hearth.Agent;

/// <summary>A mistake on the command line or in a file that a person wrote; its message is for them.</summary>
public sealed class UsageException(string message) : Exception(message);

/// <summary>What the command line and the environment ask for, checked once.</summary>
public sealed record AgentOptions
{
    public const string Usage = """
        hearth-agent         joins where a code is given, then runs until it is told to leave
        hearth-agent probe   prints this machine's devices and their readings as JSON

          --coordinator URL   address of the coordinator, such as http://192.168.1.10:7770 (HEARTH_COORDINATOR);
                              remembered after joining
          --join CODE         one-time code from the dashboard's pool page; of no effect once joined (HEARTH_JOIN_CODE)
          --name NAME         name of this worker; the host name when left out
          --home DIR          folder of this agent: token, cache, work files (HEARTH_AGENT_HOME)
          --devices LIST      indices to offer, such as 0,2; all when left out
          --probe PROBE       auto, cpu, or simulated:FILE (a JSON list of devices that train on the CPU)
          --threads N         compute threads of a trainer on the CPU, 1 to 1,024; part of a CPU trace (HEARTH_THREADS)
          --trainer PATH      hearth-trainer or hearth-trainer.dll (HEARTH_TRAINER)
          --cache-gb N        size that the cache of blobs and prepared datasets is trimmed to, 0 to 1,048,576; what a
                              live attempt uses stays. Beside it an attempt's unsent points and log lines take at most
                              256 MiB each
        """;

    private static readonly string[] Known =
        ["--coordinator", "--join", "--name", "--home", "--devices", "--probe", "--threads", "--trainer", "--cache-gb"];

    /// <summary>Print the devices and end.</summary>
    public bool ProbeOnly { get; init; }
    public required string HomePath { get; init; }
    public Uri? Coordinator { get; init; }
    public string? JoinCode { get; init; }
    public required string Name { get; init; }

    /// <summary>Indices to offer; null = all.</summary>
    public IReadOnlyList<int>? Devices { get; init; }

    /// <summary><c>auto</c>, <c>cpu</c> or <c>simulated:FILE</c>.</summary>
    public string Probe { get; init; } = "auto";
    public string? TrainerPath { get; init; }

    /// <summary>One by default: at small sizes a second thread costs more than it brings, and a trace depends on the count.</summary>
    public int Threads { get; init; } = 1;
    public long CacheBytes { get; init; } = 20L << 30;

    /// <exception cref="UsageException">An unknown or impossible option, by name.</exception>
    public static AgentOptions Parse(IReadOnlyList<string> args, Func<string, string?> environment)
    {
        bool probeOnly = args is ["probe", ..];
        var given = ReadPairs(args, probeOnly ? 1 : 0);
        string? Value(string option, string? variable = null) =>
            given.GetValueOrDefault(option) ?? (variable is not null && environment(variable) is { Length: > 0 } set ? set : null);

        string name = Value("--name") ?? Environment.MachineName;
        if (name.Length is 0 or > 64 || name.Any(c => char.IsControl(c) || c is '/' or ','))
        {
            throw new UsageException($"--name is '{name}'. Allowed: 1 to 64 characters, without '/' and ','.");
        }

        string probe = Value("--probe") ?? "auto";
        if (probe is not ("auto" or "cpu") && !probe.StartsWith("simulated:", StringComparison.Ordinal))
        {
            throw new UsageException($"--probe is '{probe}'. Allowed: auto, cpu, simulated:FILE.");
        }

        return new AgentOptions
        {
            ProbeOnly = probeOnly,
            Coordinator = Value("--coordinator", "HEARTH_COORDINATOR") is { } address ? ReadAddress(address) : null,
            JoinCode = Value("--join", "HEARTH_JOIN_CODE"),
            Name = name,
            HomePath = Path.GetFullPath(Value("--home", "HEARTH_AGENT_HOME") ?? DefaultHome()),
            Devices = Value("--devices") is { } list ? ReadDevices(list) : null,
            Probe = probe,
            TrainerPath = Value("--trainer", "HEARTH_TRAINER"),
            Threads = (int)ReadNumber("--threads", Value("--threads", "HEARTH_THREADS") ?? "1", 1, 1024),
            CacheBytes = ReadNumber("--cache-gb", Value("--cache-gb") ?? "20", 0, 1 << 20) << 30,
        };
    }

    private static string DefaultHome() =>
        Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "hearth", "agent");

    private static Dictionary<string, string> ReadPairs(IReadOnlyList<string> args, int first)
    {
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int i = first; i < args.Count; i += 2)
        {
            if (!Known.Contains(args[i]))
            {
                throw new UsageException($"No option is called '{args[i]}'. Allowed: {string.Join(", ", Known)}.\n\n{Usage}");
            }

            given[args[i]] = i + 1 < args.Count ? args[i + 1] : throw new UsageException($"{args[i]} needs a value.");
        }

        return given;
    }

    private static Uri ReadAddress(string text) =>
        Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            ? address
            : throw new UsageException($"--coordinator is '{text}'. Allowed: http://HOST:PORT or https://HOST:PORT.");

    private static List<int> ReadDevices(string list) =>
        [.. list.Split(',').Select(part => (int)ReadNumber("--devices", part.Trim(), 0, 1023)).Distinct().Order()];

    private static long ReadNumber(string option, string text, long least, long most) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= least && number <= most
            ? number
            : throw new UsageException($"{option} is '{text}'. Allowed: a number from {least} to {most}.");
}
