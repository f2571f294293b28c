using System.CommandLine;

namespace Hearth.Cli.Cluster;

/// <summary><c>cluster</c>: what several coordinators of one pool need.</summary>
internal static class ClusterCommand
{
    private const int UsualDays = 730;

    public static Command Create()
    {
        var hosts = new Argument<string[]>("hosts") { Description = "Names or addresses of the hosts that coordinators run on.", Arity = ArgumentArity.OneOrMore };
        hosts.Validators.Add(r =>
        {
            foreach (string host in r.GetValueOrDefault<string[]>() ?? [])
            {
                if (Uri.CheckHostName(host) is not (UriHostNameType.Dns or UriHostNameType.IPv4 or UriHostNameType.IPv6))
                {
                    r.AddError($"hosts: {host} is no host. Allowed: names such as attic or attic.lan, and addresses such as 192.168.1.10.");
                }
            }
        });
        var folder = new Option<string>("--folder") { Description = "Where the files go; it keeps the cluster's authority.", DefaultValueFactory = _ => "cluster" }.NotEmpty("the path of a folder");
        var days = Given.Number("--days", "How long the hosts' certificates hold.", UsualDays, 1, 3650);
        var certificate = new Command("certificate", "Make the certificates by which coordinators on several hosts know each other.") { hosts, folder, days };
        certificate.SetAction((parsed, _) => Guard.RunAsync(() => Task.FromResult(Issue(
            Path.GetFullPath(parsed.GetValue(folder)!), parsed.GetRequiredValue(hosts), TimeSpan.FromDays(parsed.GetValue(days)), Console.Out))));
        return new Command("cluster", "Several coordinators for one pool.") { certificate };
    }

    /// <summary>Makes the authority, where there is none, and a certificate for each host; says which file goes where.</summary>
    /// <exception cref="CliException">A host cannot have a certificate here; none was made then.</exception>
    internal static int Issue(string folder, IReadOnlyList<string> hosts, TimeSpan life, TextWriter say)
    {
        if (hosts.FirstOrDefault(CertificateAuthority.IsItsOwn) is { } taken)
        {
            throw new CliException($"hosts: {taken} is what the authority's own files are called. Allowed: other names, such as {taken}.lan.", ExitCodes.BadInput);
        }

        var now = DateTimeOffset.UtcNow;
        using var authority = CertificateAuthority.Open(folder, now);
        say.WriteLine(authority.IsNew
            ? $"Made the cluster's authority. Its key, {CertificateAuthority.KeyPath(folder)}, makes coordinators: keep it from every host."
            : $"The authority is that of {CertificateAuthority.CertificatePath(folder)}.");
        foreach (string host in hosts)
        {
            var (certificate, key) = authority.Issue(host, life, now);
            say.WriteLine(
                $"""

                On {host}, with these three files copied there, the coordinator's environment is:
                  HEARTH_CLUSTER_AUTHORITY={CertificateAuthority.CertificatePath(folder)}
                  HEARTH_CLUSTER_CERTIFICATE={certificate}
                  HEARTH_CLUSTER_KEY={key}
                """);
        }

        return ExitCodes.Done;
    }
}
