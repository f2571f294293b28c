using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Orleans.Connections.Security;

namespace Hearth.Coordinator.Cluster;

/// <summary>
/// Mutual TLS between silos: each shows a certificate of the cluster's own authority and takes no other. The authority signs for
/// silos alone, so whoever holds one of its certificates is a coordinator; names of hosts are not compared.
/// </summary>
internal sealed class ClusterCertificates
{
    // Sent with the handshake and compared with nothing.
    private const string AnySilo = "hearth-silo";
    private readonly X509Certificate2 _authority;

    private ClusterCertificates(X509Certificate2 authority, X509Certificate2 own) => (_authority, Own) = (authority, own);

    internal X509Certificate2 Own { get; }

    /// <exception cref="InvalidOperationException">A file is no certificate, has run out, or is not the authority's.</exception>
    internal static ClusterCertificates Load(ClusterCertificateFiles files, DateTimeOffset now)
    {
        var authority = Read("HEARTH_CLUSTER_AUTHORITY", files.Authority, () => X509CertificateLoader.LoadCertificateFromFile(files.Authority));
        var own = Read("HEARTH_CLUSTER_CERTIFICATE", files.Certificate, () =>
        {
            // Windows wants a key that is stored with its certificate.
            using var pem = X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);
            return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        });
        var all = new ClusterCertificates(authority, own);
        if (own.NotAfter.ToUniversalTime() < now.UtcDateTime)
        {
            throw new InvalidOperationException($"HEARTH_CLUSTER_CERTIFICATE is {files.Certificate}, which ran out on {own.NotAfter.ToUniversalTime():yyyy-MM-dd}. Make a new one with ./hearth cluster certificate.");
        }

        return all.IsMember(own)
            ? all
            : throw new InvalidOperationException($"HEARTH_CLUSTER_CERTIFICATE is {files.Certificate}, which the authority in {files.Authority} did not sign. Allowed: a certificate of that authority.");
    }

    internal void Apply(TlsOptions tls)
    {
        tls.LocalCertificate = Own;
        tls.RemoteCertificateMode = RemoteCertificateMode.RequireCertificate;
        tls.ClientCertificateMode = RemoteCertificateMode.RequireCertificate;
        tls.RemoteCertificateValidation = (certificate, _, _) => IsMember(certificate);
        tls.OnAuthenticateAsClient = (_, client) => client.TargetHost = AnySilo;
    }

    /// <summary>Whether our authority signed it and it is valid now.</summary>
    internal bool IsMember(X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(_authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        return chain.Build(certificate);
    }

    private static X509Certificate2 Read(string name, string path, Func<X509Certificate2> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InvalidOperationException($"{name} is {path}, which cannot be read: {e.Message}", e);
        }
    }
}
