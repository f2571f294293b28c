using System.Globalization;
using Azure.Storage.Blobs;
using Hearth.Coordinator.Blobs;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>A server of Azure blobs in memory, with one container.</summary>
public sealed class AzureServer : IAsyncLifetime
{
    // The account that every emulator of Azure storage has.
    private const string Account = "devstoreaccount1";
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    private NodeServer? _server;

    public AzureOptions Options { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        int port = NodeServer.FreePort();
        _server = await NodeServer.StartAsync(
            "azurite/dist/src/blob/main.js", port, "--blobHost", "127.0.0.1", "--blobPort", port.ToString(CultureInfo.InvariantCulture), "--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry");
        Options = new AzureOptions($"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};BlobEndpoint=http://127.0.0.1:{port}/{Account};", "hearth");
        await new BlobContainerClient(Options.Connection, Options.Container).CreateIfNotExistsAsync();
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }
}
