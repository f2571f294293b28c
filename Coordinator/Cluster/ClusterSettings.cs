using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Cluster;

/// <summary>PEM files that silos show and check each other by.</summary>
/// <param name="Authority">Certificate of the authority that signed every silo's.</param>
/// <param name="Certificate">This silo's.</param>
/// <param name="Key">Its private key.</param>
public sealed record ClusterCertificateFiles(string Authority, string Certificate, string Key);

/// <summary>How this coordinator is part of a cluster. With no setting at all it is a cluster of its own on this machine.</summary>
public sealed partial record ClusterSettings
{
    /// <summary>The silo's port where nothing says otherwise; the one above the service's own usual port.</summary>
    public const int DefaultPort = 7771;

    private const string CertificateCommand = "./hearth cluster certificate makes the files";

    /// <summary><c>HEARTH_CLUSTER</c>: name that all coordinators of the database share; null = this one is alone.</summary>
    public string? Name { get; init; }

    /// <summary><c>HEARTH_CLUSTER_ADDRESS</c>: where the other coordinators reach this one's silo.</summary>
    public required IPEndPoint Address { get; init; }

    /// <summary><c>HEARTH_CLUSTER_AUTHORITY</c>, <c>HEARTH_CLUSTER_CERTIFICATE</c>, <c>HEARTH_CLUSTER_KEY</c>; null = plain, on loopback alone.</summary>
    public ClusterCertificateFiles? Certificates { get; init; }

    /// <summary><c>HEARTH_CLUSTER_DASHBOARD</c>: whether admins see the cluster at <c>/orleans</c>.</summary>
    public bool Dashboard { get; init; }

    /// <exception cref="InvalidOperationException">A setting is wrong; the message names it, its value and what is allowed.</exception>
    public static ClusterSettings Read(IConfiguration settings)
    {
        string? Given(string name) => settings[name] is { Length: > 0 } value ? value : null;
        string? name = Given("HEARTH_CLUSTER"), address = Given("HEARTH_CLUSTER_ADDRESS");
        if (name is not null && !Names().IsMatch(name))
        {
            throw new InvalidOperationException($"HEARTH_CLUSTER is {name}. Allowed: 1 to 64 lower-case letters, digits and hyphens.");
        }

        if (name is not null && address is null)
        {
            throw new InvalidOperationException($"HEARTH_CLUSTER_ADDRESS is missing, and HEARTH_CLUSTER is {name}. Allowed: IP:PORT at which the other coordinators reach this one.");
        }

        var options = new ClusterSettings
        {
            Name = name,
            Address = address is null ? new IPEndPoint(IPAddress.Loopback, DefaultPort) : ReadAddress(address),
            Certificates = ReadCertificates(Given("HEARTH_CLUSTER_AUTHORITY"), Given("HEARTH_CLUSTER_CERTIFICATE"), Given("HEARTH_CLUSTER_KEY")),
            Dashboard = CoordinatorOptions.ReadSwitch(settings, "HEARTH_CLUSTER_DASHBOARD"),
        };
        options.CheckReach();
        return address is null ? options with { Address = FreeOnLoopback(options.Address) } : options;
    }

    // A silo obeys whoever connects to it.
    private void CheckReach()
    {
        if (IPAddress.IsLoopback(Address.Address))
        {
            return;
        }

        if (Name is null)
        {
            throw new InvalidOperationException($"HEARTH_CLUSTER_ADDRESS is {Address}, and HEARTH_CLUSTER is missing: a coordinator that is alone listens on loopback. Give the cluster's name, or leave both out.");
        }

        if (Certificates is null)
        {
            throw new InvalidOperationException(
                $"HEARTH_CLUSTER_ADDRESS is {Address}, which other machines reach, and whoever reaches a silo without TLS commands the pool. "
                + $"Give HEARTH_CLUSTER_AUTHORITY, HEARTH_CLUSTER_CERTIFICATE and HEARTH_CLUSTER_KEY ({CertificateCommand}), or an address of 127.0.0.0/8.");
        }
    }

    private static IPEndPoint ReadAddress(string text) =>
        IPEndPoint.TryParse(text, out var address) && address.Port > 0 && !address.Address.Equals(IPAddress.Any) && !address.Address.Equals(IPAddress.IPv6Any)
            ? address
            : throw new InvalidOperationException($"HEARTH_CLUSTER_ADDRESS is {text}. Allowed: IP:PORT at which the other coordinators reach this one, such as 192.168.1.10:{DefaultPort.ToString(CultureInfo.InvariantCulture)}.");

    private static ClusterCertificateFiles? ReadCertificates(string? authority, string? certificate, string? key)
    {
        (string Name, string? Path)[] files = [("HEARTH_CLUSTER_AUTHORITY", authority), ("HEARTH_CLUSTER_CERTIFICATE", certificate), ("HEARTH_CLUSTER_KEY", key)];
        if (files.All(f => f.Path is null))
        {
            return null;
        }

        foreach (var (name, path) in files)
        {
            if (path is null || !File.Exists(path))
            {
                throw new InvalidOperationException($"{name} is {path ?? "missing"}. Allowed: a PEM file, and the other two of its kind beside it; {CertificateCommand}.");
            }
        }

        return new ClusterCertificateFiles(authority!, certificate!, key!);
    }

    // Alone, a silo is reached by nobody else, so that another pool of this machine may have the usual port.
    private static IPEndPoint FreeOnLoopback(IPEndPoint usual)
    {
        bool taken = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Any(l => l.Port == usual.Port);
        if (!taken)
        {
            return usual;
        }

        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return (IPEndPoint)probe.LocalEndpoint;
    }

    [GeneratedRegex("^[a-z0-9-]{1,64}$")]
    private static partial Regex Names();
}
