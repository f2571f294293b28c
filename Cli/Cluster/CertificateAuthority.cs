using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hearth.Cli.Cluster;

/// <summary>
/// The authority of one cluster of coordinators, in a folder: <c>authority.pem</c> goes to every host, <c>authority.key</c> to none.
/// Whoever has a certificate of it is a coordinator, so it signs for nothing else.
/// </summary>
internal sealed class CertificateAuthority : IDisposable
{
    private const string Files = "authority";
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private static readonly TimeSpan Life = TimeSpan.FromDays(3650);

    // Clocks of hosts differ a little.
    private static readonly TimeSpan Early = TimeSpan.FromHours(1);
    private readonly string _folder;
    private readonly X509Certificate2 _certificate;

    private CertificateAuthority(string folder, X509Certificate2 certificate, bool isNew) => (_folder, _certificate, IsNew) = (folder, certificate, isNew);

    /// <summary>Whether it was made just now.</summary>
    public bool IsNew { get; }

    public static string CertificatePath(string folder) => Path.Combine(folder, Files + ".pem");

    public static string KeyPath(string folder) => Path.Combine(folder, Files + ".key");

    /// <summary>Whether the files of a host of this name would take the place of the authority's; on some disks letters in either case are the same.</summary>
    public static bool IsItsOwn(string host) => host.Equals(Files, StringComparison.OrdinalIgnoreCase);

    /// <summary>The folder's authority, made there when it has none.</summary>
    /// <exception cref="CliException">The folder holds only a part of one, or cannot be used.</exception>
    public static CertificateAuthority Open(string folder, DateTimeOffset now)
    {
        try
        {
            Directory.CreateDirectory(folder);
            bool hasCertificate = File.Exists(CertificatePath(folder)), hasKey = File.Exists(KeyPath(folder));
            if (hasCertificate != hasKey)
            {
                string missing = hasKey ? CertificatePath(folder) : KeyPath(folder);
                throw new CliException($"{missing} is missing, and the other half of the authority is there. Bring it back, or make a new authority in another folder.", ExitCodes.BadInput);
            }

            return hasKey
                ? new CertificateAuthority(folder, Read(folder), isNew: false)
                : new CertificateAuthority(folder, Make(folder, now), isNew: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new CliException($"The folder {folder} cannot be used: {e.Message} Give another with --folder.", ExitCodes.BadInput);
        }
    }

    /// <summary>A key and a certificate for a host: <c>HOST.pem</c> and <c>HOST.key</c>; those of before are replaced.</summary>
    /// <param name="host">Its name or address.</param>
    /// <param name="life">How long the certificate holds, and no longer than the authority's.</param>
    /// <param name="now">From when on.</param>
    /// <returns>Both paths.</returns>
    public (string Certificate, string Key) Issue(string host, TimeSpan life, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Name(host), key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(host);
        }

        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthentication), new Oid(ClientAuthentication)], critical: false));
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var end = now + life < _certificate.NotAfter ? now + life : _certificate.NotAfter;
        using var certificate = request.Create(_certificate, now - Early, end, RandomNumberGenerator.GetBytes(16));
        string path = Path.Combine(_folder, host.Replace(':', '-'));
        Write(path + ".key", key.ExportPkcs8PrivateKeyPem(), secret: true);
        Write(path + ".pem", certificate.ExportCertificatePem(), secret: false);
        return (path + ".pem", path + ".key");
    }

    public void Dispose() => _certificate.Dispose();

    private static X509Certificate2 Read(string folder)
    {
        var certificate = X509Certificate2.CreateFromPemFile(CertificatePath(folder), KeyPath(folder));
        return certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(e => e.CertificateAuthority)
            ? certificate
            : throw new CryptographicException($"{CertificatePath(folder)} is no authority's certificate.");
    }

    private static X509Certificate2 Make(string folder, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Name("Hearth cluster authority"), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var certificate = request.CreateSelfSigned(now - Early, now + Life);
        Write(KeyPath(folder), key.ExportPkcs8PrivateKeyPem(), secret: true);
        Write(CertificatePath(folder), certificate.ExportCertificatePem(), secret: false);
        return certificate;
    }

    private static X500DistinguishedName Name(string common)
    {
        var name = new X500DistinguishedNameBuilder();
        name.AddCommonName(common);
        return name.Build();
    }

    private static void Write(string path, string pem, bool secret)
    {
        // An older file would keep its own mode.
        File.Delete(path);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (secret && !OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var writer = new StreamWriter(path, options);
        writer.WriteLine(pem);
    }
}
