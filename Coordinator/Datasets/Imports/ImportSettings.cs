using Hearth.Coordinator.Datasets.Sources;
using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>What imports may take from elsewhere.</summary>
/// <param name="MostSourceBytes"><c>HEARTH_IMPORT_SOURCE_BYTES</c>: length of an upload, or of what an address gives, as it comes.</param>
/// <param name="PrivateAddresses"><c>HEARTH_IMPORT_PRIVATE_ADDRESSES</c>: whether addresses of this machine and of private networks may be fetched.</param>
public sealed record ImportSettings(long MostSourceBytes, bool PrivateAddresses)
{
    /// <exception cref="InvalidOperationException">A setting is wrong.</exception>
    public static ImportSettings Read(IConfiguration settings) => new(
        SourceLimits.Number(settings, "HEARTH_IMPORT_SOURCE_BYTES", 1L << 38, 1, 1L << 50),
        CoordinatorOptions.ReadSwitch(settings, "HEARTH_IMPORT_PRIVATE_ADDRESSES"));
}
