using System.Security.Cryptography.X509Certificates;
using Hearth.Cli;
using Hearth.Cli.Cluster;
using Xunit;

namespace Hearth.Tests;

public sealed class ClusterCertificateTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Each_host_gets_a_certificate_of_one_authority_and_the_folder_says_where_it_goes()
    {
        using var said = new StringWriter();

        int code = ClusterCommand.Issue(_temp.Path, ["attic", "192.168.1.10"], TimeSpan.FromDays(730), said);

        Assert.Equal(ExitCodes.Done, code);
        using var authority = X509CertificateLoader.LoadCertificateFromFile(File("authority.pem"));
        foreach (string host in new[] { "attic", "192.168.1.10" })
        {
            using var certificate = X509Certificate2.CreateFromPemFile(File(host + ".pem"), File(host + ".key"));
            Assert.True(IsSigned(certificate, authority));
            Assert.True(certificate.MatchesHostname(host));
            Assert.Contains($"HEARTH_CLUSTER_KEY={File(host + ".key")}", said.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_authority_stays_when_a_host_is_added_or_its_certificate_renewed()
    {
        ClusterCommand.Issue(_temp.Path, ["attic"], TimeSpan.FromDays(1), TextWriter.Null);
        string authority = System.IO.File.ReadAllText(File("authority.pem")), old = System.IO.File.ReadAllText(File("attic.pem"));

        ClusterCommand.Issue(_temp.Path, ["attic", "cellar"], TimeSpan.FromDays(730), TextWriter.Null);

        Assert.Equal(authority, System.IO.File.ReadAllText(File("authority.pem")));
        Assert.NotEqual(old, System.IO.File.ReadAllText(File("attic.pem")));
        Assert.True(System.IO.File.Exists(File("cellar.key")));
    }

    [Fact]
    public void Keys_are_their_owners_alone()
    {
        ClusterCommand.Issue(_temp.Path, ["attic"], TimeSpan.FromDays(1), TextWriter.Null);

        Assert.All(
            new[] { "authority.key", "attic.key" },
            key => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File(key))));
    }

    [Fact]
    public void Half_an_authority_is_refused_by_the_file_that_is_missing()
    {
        ClusterCommand.Issue(_temp.Path, ["attic"], TimeSpan.FromDays(1), TextWriter.Null);
        System.IO.File.Delete(File("authority.key"));

        var e = Assert.Throws<CliException>(() => ClusterCommand.Issue(_temp.Path, ["cellar"], TimeSpan.FromDays(1), TextWriter.Null));

        Assert.Equal($"{File("authority.key")} is missing, and the other half of the authority is there. Bring it back, or make a new authority in another folder.", e.Message);
    }

    [Theory]
    [InlineData("authority")]
    [InlineData("Authority")]
    public void A_host_that_is_called_as_the_authority_does_not_take_its_place(string host)
    {
        ClusterCommand.Issue(_temp.Path, ["attic"], TimeSpan.FromDays(1), TextWriter.Null);
        var before = Directory.GetFiles(_temp.Path).ToDictionary(f => f, System.IO.File.ReadAllText);

        var e = Assert.Throws<CliException>(() => ClusterCommand.Issue(_temp.Path, ["cellar", host], TimeSpan.FromDays(1), TextWriter.Null));

        Assert.Equal($"hosts: {host} is what the authority's own files are called. Allowed: other names, such as {host}.lan.", e.Message);
        Assert.Equal(before, Directory.GetFiles(_temp.Path).ToDictionary(f => f, System.IO.File.ReadAllText));
    }

    [Fact]
    public void Files_of_a_host_in_the_place_of_the_authority_are_refused()
    {
        ClusterCommand.Issue(_temp.Path, ["attic"], TimeSpan.FromDays(1), TextWriter.Null);
        System.IO.File.Copy(File("attic.pem"), File("authority.pem"), overwrite: true);
        System.IO.File.Copy(File("attic.key"), File("authority.key"), overwrite: true);

        var e = Assert.Throws<CliException>(() => ClusterCommand.Issue(_temp.Path, ["cellar"], TimeSpan.FromDays(1), TextWriter.Null));

        Assert.Contains("authority.pem is no authority's certificate.", e.Message, StringComparison.Ordinal);
    }

    private string File(string name) => Path.Combine(_temp.Path, name);

    private static bool IsSigned(X509Certificate2 certificate, X509Certificate2 authority)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(certificate);
    }
}
