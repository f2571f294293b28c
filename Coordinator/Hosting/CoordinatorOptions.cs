using System.Globalization;
using Npgsql;

namespace Hearth.Coordinator.Hosting;

/// <summary>Every setting of the service, read from the environment (or any other configuration source) and checked once.</summary>
public sealed record CoordinatorOptions
{
    /// <summary><c>HEARTH_DATABASE</c>: a PostgreSQL connection string.</summary>
    public required string Database { get; init; }

    /// <summary><c>HEARTH_DATA</c>: folder of the local object store and its signing key.</summary>
    public required string DataPath { get; init; }

    /// <summary><c>HEARTH_PUBLIC_URL</c>: address under which browsers and workers reach the pool; null = as each request came.</summary>
    public Uri? PublicUrl { get; init; }

    /// <summary><c>HEARTH_LEASE_SECONDS</c>: how long an attempt lives without a heartbeat.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary><c>HEARTH_POOL</c>: the pool's name, for people.</summary>
    public string Pool { get; init; } = "home";

    /// <summary><c>HEARTH_ADMIN_TOKEN_FILE</c>: where the first admin token is written instead of standard output.</summary>
    public string? AdminTokenFile { get; init; }

    /// <exception cref="InvalidOperationException">A setting is missing or wrong; the message names it, its value and what is allowed.</exception>
    public static CoordinatorOptions Read(IConfiguration settings)
    {
        string? Given(string name) => settings[name] is { Length: > 0 } value ? value : null;
        string database = Given("HEARTH_DATABASE")
            ?? throw new InvalidOperationException("HEARTH_DATABASE is missing. Allowed: a PostgreSQL connection string such as Host=localhost;Database=hearth;Username=hearth.");
        string? address = Given("HEARTH_PUBLIC_URL"), lease = Given("HEARTH_LEASE_SECONDS");
        return new CoordinatorOptions
        {
            Database = CheckDatabase(database),
            DataPath = Path.GetFullPath(Given("HEARTH_DATA") ?? "data"),
            PublicUrl = address is null ? null : ReadAddress(address),
            Lease = lease is null ? TimeSpan.FromSeconds(10) : ReadLease(lease),
            Pool = Given("HEARTH_POOL") ?? "home",
            AdminTokenFile = Given("HEARTH_ADMIN_TOKEN_FILE"),
        };
    }

    /// <exception cref="InvalidOperationException">The setting is neither <c>on</c> nor <c>off</c>.</exception>
    internal static bool ReadSwitch(IConfiguration settings, string name) => settings[name] switch
    {
        null or "" or "off" => false,
        "on" => true,
        var text => throw new InvalidOperationException($"{name} is {text}. Allowed: on, off."),
    };

    /// <exception cref="InvalidOperationException">The setting is no number from 0 to 1.</exception>
    internal static double ReadFraction(IConfiguration settings, string name, double otherwise) => settings[name] switch
    {
        null or "" => otherwise,
        var text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double share) && share is >= 0 and <= 1 => share,
        var text => throw new InvalidOperationException($"{name} is {text}. Allowed: 0 to 1."),
    };

    private static string CheckDatabase(string text)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(text).ConnectionString;
        }
        catch (ArgumentException e)
        {
            // The value may hold a password, so the message leaves it out.
            throw new InvalidOperationException($"HEARTH_DATABASE is no connection string: {e.Message} Allowed: Host=localhost;Database=hearth;Username=hearth and the like.", e);
        }
    }

    private static Uri ReadAddress(string text) => Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
        ? address
        : throw new InvalidOperationException($"HEARTH_PUBLIC_URL is {text}. Allowed: http://HOST:PORT or https://HOST.");

    private static TimeSpan ReadLease(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds) && seconds is >= 0.5 and <= 600
            ? TimeSpan.FromSeconds(seconds)
            : throw new InvalidOperationException($"HEARTH_LEASE_SECONDS is {text}. Allowed: 0.5 to 600.");
}
