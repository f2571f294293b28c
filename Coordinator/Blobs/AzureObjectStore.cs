using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Azure.Storage.Sas;
using Hearth.Protocol;

namespace Hearth.Coordinator.Blobs;

/// <summary>
/// Block blobs of one container, below a prefix where pools share it. A part is a block, whose name follows from upload and number; nothing
/// is begun, and blocks of an upload that is given up go by themselves after a week.
/// </summary>
public sealed class AzureObjectStore : IObjectStore
{
    private static readonly Dictionary<string, string> BlockBlob = new() { ["x-ms-blob-type"] = "BlockBlob" };
    private readonly BlobContainerClient _container;
    private readonly AzureOptions _options;

    /// <exception cref="InvalidOperationException">The connection string is none.</exception>
    public AzureObjectStore(AzureOptions options)
    {
        _options = options;
        var client = new BlobClientOptions { Retry = { MaxRetries = 3, NetworkTimeout = TimeSpan.FromSeconds(100) } };
        try
        {
            _container = new BlobContainerClient(options.Connection, options.Container, client);
        }
        catch (FormatException e)
        {
            throw new InvalidOperationException($"HEARTH_AZURE_CONNECTION is no connection string: {e.Message}", e);
        }
    }

    public string Name => $"the container {_options.Container}{(_options.Prefix.Length > 0 ? $" below {_options.Prefix}" : "")} at {_container.Uri.GetLeftPart(UriPartial.Authority)}";

    public Task<StoreIdentity?> IdentityAsync(CancellationToken stop) => GuardAsync<StoreIdentity?>(
        async () => StoreIdentity.Parse((await Blob(StoreIdentity.FileName).DownloadContentAsync(stop)).Value.Content.ToMemory().Span, Name), () => null, stop);

    public Task MarkAsync(StoreIdentity identity, CancellationToken stop) => WriteAsync(StoreIdentity.FileName, new MemoryStream(identity.ToBytes()), stop);

    public async Task PutAsync(string sha256, Stream content, CancellationToken stop)
    {
        await BlobNames.RequireAsync(sha256, content, stop);
        await WriteAsync(BlobNames.Of(sha256), content, stop);
    }

    public Task<Stream?> GetAsync(string sha256, CancellationToken stop) => GuardAsync<Stream?>(
        async () => (await Blob(BlobNames.Of(sha256)).DownloadStreamingAsync(cancellationToken: stop)).Value.Content, () => null, stop);

    public Task<StoredBlob?> StatAsync(string sha256, CancellationToken stop) => GuardAsync<StoredBlob?>(
        async () => new StoredBlob(sha256, (await Blob(BlobNames.Of(sha256)).GetPropertiesAsync(cancellationToken: stop)).Value.ContentLength), () => null, stop);

    public async IAsyncEnumerable<StoredBlob> ListAsync([EnumeratorCancellation] CancellationToken stop)
    {
        await using var pages = _container.GetBlobsAsync(BlobTraits.None, BlobStates.None, _options.Prefix + BlobNames.Prefix, stop).AsPages().GetAsyncEnumerator(stop);
        while (await GuardAsync(async () => await pages.MoveNextAsync(), Nowhere<bool>, stop))
        {
            foreach (var found in pages.Current.Values)
            {
                if (BlobNames.At(found.Name) is { } sha256)
                {
                    yield return new StoredBlob(sha256, found.Properties.ContentLength ?? 0);
                }
            }
        }
    }

    // Not DeleteIfExists, which takes a container that is gone for a blob that is.
    public Task DeleteAsync(string sha256, CancellationToken stop) => GuardAsync<object?>(
        async () => await Blob(BlobNames.Of(sha256)).DeleteAsync(cancellationToken: stop), () => null, stop);

    public Task<string> SignGetAsync(string sha256, TimeSpan life, string? fileName = null)
    {
        var sas = Sas(sha256, life, BlobSasPermissions.Read);
        sas.ContentDisposition = fileName is null ? null : BlobNames.Disposition(fileName);
        return Task.FromResult(Blob(BlobNames.Of(sha256)).GenerateSasUri(sas).AbsoluteUri);
    }

    // The length cannot be part of the address here; a commit compares it with what the store says.
    public Task<UploadTicket> SignPutAsync(string sha256, long bytes, TimeSpan life) => Task.FromResult(PartLayout.Single(
        sha256, bytes, Blob(BlobNames.Of(sha256)).GenerateSasUri(Sas(sha256, life, BlobSasPermissions.Create | BlobSasPermissions.Write)).AbsoluteUri, BlockBlob));

    public Task<PartsUpload> BeginAsync(string sha256, CancellationToken stop) => Task.FromResult(new PartsUpload(sha256, Guid.NewGuid().ToString("N")));

    public Task<UploadTicket> SignPartsAsync(PartsUpload upload, IReadOnlyList<PartRange> parts, TimeSpan life)
    {
        string address = Blob(BlobNames.Of(upload.Sha256)).GenerateSasUri(Sas(upload.Sha256, life, BlobSasPermissions.Create | BlobSasPermissions.Write)).AbsoluteUri;
        return Task.FromResult(new UploadTicket(
            upload.Sha256,
            [.. parts.Select(p => new UploadPart(p.Number, p.Offset, p.Bytes, $"{address}&comp=block&blockid={Uri.EscapeDataString(BlockId(upload, p.Number))}", PartLayout.NoHeaders))],
            upload.Id));
    }

    public Task FinishAsync(PartsUpload upload, IReadOnlyList<PartReceipt> parts, CancellationToken stop) => GuardAsync<object?>(
        async () =>
        {
            try
            {
                return await _container.GetBlockBlobClient(_options.Prefix + BlobNames.Of(upload.Sha256)).CommitBlockListAsync(parts.Select(p => BlockId(upload, p.Number)), cancellationToken: stop);
            }
            catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.InvalidBlockList)
            {
                throw new UnknownUploadException("The store no longer has the parts of this upload.", e);
            }
        },
        Nowhere<object?>,
        stop);

    public Task AbandonAsync(PartsUpload upload, CancellationToken stop) => Task.CompletedTask;

    private BlobClient Blob(string name) => _container.GetBlobClient(_options.Prefix + name);

    private BlobSasBuilder Sas(string sha256, TimeSpan life, BlobSasPermissions permissions) => new(permissions, DateTimeOffset.UtcNow.Add(life))
    {
        BlobContainerName = _options.Container,
        BlobName = _options.Prefix + BlobNames.Of(sha256),
        Resource = "b",
    };

    // All names of one blob's blocks must be equally long.
    private static string BlockId(PartsUpload upload, int number)
    {
        byte[] id = new byte[20];
        Guid.ParseExact(upload.Id, "N").TryWriteBytes(id);
        BinaryPrimitives.WriteInt32BigEndian(id.AsSpan(16), number);
        return Convert.ToBase64String(id);
    }

    private Task WriteAsync(string name, Stream content, CancellationToken stop) => GuardAsync<object?>(
        async () => await Blob(name).UploadAsync(content, overwrite: true, stop), Nowhere<object?>, stop);

    private T Nowhere<T>() => throw new StoreAwayException($"There is no {Name}.");

    /// <summary>Tells a blob that is not there from a store that is not: a container that is gone answers 404 too, by another code.</summary>
    private async Task<T> GuardAsync<T>(Func<Task<T>> work, Func<T> missing, CancellationToken stop)
    {
        try
        {
            return await work();
        }
        catch (RequestFailedException e) when (e.Status == 404 && e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return missing();
        }
        catch (Exception e) when (e is RequestFailedException or AggregateException or IOException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            throw new StoreAwayException($"The object store ({Name}) does not answer as it should: {FirstLine(e.Message)}", e);
        }
    }

    // The client's messages go on for a page, with headers.
    private static string FirstLine(string text) => text.Split('\n')[0].TrimEnd();
}
