using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Hearth.Cli.Cluster;
using Hearth.Coordinator.Cluster;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Cluster;

/// <summary>Coordinators with the certificates that <c>./hearth cluster certificate</c> makes.</summary>
[Collection(SharedPostgres.Name)]
public sealed class BetweenHosts(PostgresServer postgres) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-certificates-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Coordinators_of_one_authority_work_together_and_let_nobody_else_in()
    {
        var files = Make("ours", "attic");
        await using var cluster = await CoordinatorCluster.StartAsync(
            await postgres.CreateDatabaseAsync(),
            2,
            ("HEARTH_CLUSTER_AUTHORITY", files.Authority),
            ("HEARTH_CLUSTER_CERTIFICATE", files.Certificate),
            ("HEARTH_CLUSTER_KEY", files.Key));
        var scheduler = await cluster.SchedulerAsync();
        var other = cluster.Other(scheduler);
        await other.AddDatasetAsync();
        await using var worker = await FakeWorker.JoinAsync(other, "studio");

        // Over the scheduler at the other coordinator, which both must reach.
        scheduler.Kill();
        await cluster.TakenOverAsync(scheduler);
        var run = await other.SubmitAsync(Pool.Spec());
        await other.WaitAsync(run, RunState.Running);

        int port = cluster.SiloPortOf(other);
        Assert.True(await IsLetInAsync(port, files));
        Assert.False(await IsLetInAsync(port, Make("theirs", "attic")));
        Assert.False(await IsLetInAsync(port, null));
    }

    [Fact]
    public void A_certificate_of_another_authority_is_refused_at_the_start()
    {
        var (ours, theirs) = (Make("ours", "attic"), Make("theirs", "attic"));

        var e = Assert.Throws<InvalidOperationException>(() => ClusterCertificates.Load(ours with { Authority = theirs.Authority }, DateTimeOffset.UtcNow));

        Assert.Equal($"HEARTH_CLUSTER_CERTIFICATE is {ours.Certificate}, which the authority in {theirs.Authority} did not sign. Allowed: a certificate of that authority.", e.Message);
    }

    [Fact]
    public void A_certificate_that_ran_out_is_refused_by_its_day()
    {
        var files = Make("ours", "attic");
        var later = DateTimeOffset.UtcNow.AddDays(731);

        var e = Assert.Throws<InvalidOperationException>(() => ClusterCertificates.Load(files, later));

        Assert.StartsWith($"HEARTH_CLUSTER_CERTIFICATE is {files.Certificate}, which ran out on 20", e.Message, StringComparison.Ordinal);
    }

    // With TLS 1.3 a client learns whether it is let in from the first thing that it reads: the silo's greeting, or the end.
    private static async Task<bool> IsLetInAsync(int port, ClusterCertificateFiles? files)
    {
        using var tcp = new TcpClient();
        await tcp.ConnectAsync("127.0.0.1", port);
        await using var stream = new SslStream(tcp.GetStream());
        var options = new SslClientAuthenticationOptions { TargetHost = "any", RemoteCertificateValidationCallback = (_, _, _, _) => true };
        if (files is not null)
        {
            options.ClientCertificates = [X509CertificateLoader.LoadPkcs12(X509Certificate2.CreateFromPemFile(files.Certificate, files.Key).Export(X509ContentType.Pkcs12), null)];
        }

        try
        {
            await stream.AuthenticateAsClientAsync(options);
            return await stream.ReadAsync(new byte[1]) == 1;
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            return false;
        }
    }

    private ClusterCertificateFiles Make(string authority, string host)
    {
        string folder = Path.Combine(_folder, authority);
        ClusterCommand.Issue(folder, [host], TimeSpan.FromDays(730), TextWriter.Null);
        return new ClusterCertificateFiles(Path.Combine(folder, "authority.pem"), Path.Combine(folder, host + ".pem"), Path.Combine(folder, host + ".key"));
    }
}
