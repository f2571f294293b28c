using System.Net;
using System.Runtime.CompilerServices;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Hearth.Protocol;

namespace Hearth.Coordinator.Blobs;

/// <summary>
/// Blobs in one bucket, below a prefix where pools share it. S3 does not compare a blob with its name, so readers do, and a damaged one is
/// reported and uploaded again.
/// </summary>
public sealed class S3ObjectStore : IObjectStore, IDisposable
{
    private readonly AmazonS3Client _s3;
    private readonly S3Options _options;
    private readonly long _mostAtOnce;

    /// <param name="options">Where, and as whom.</param>
    /// <param name="mostAtOnce">Bytes of the longest blob that the coordinator itself writes with one PUT; S3 takes up to 5 GiB.</param>
    public S3ObjectStore(S3Options options, long mostAtOnce = 1 << 30)
    {
        (_options, _mostAtOnce) = (options, mostAtOnce);
        _s3 = new AmazonS3Client(new BasicAWSCredentials(options.AccessKey, options.SecretKey), new AmazonS3Config
        {
            ServiceURL = options.Endpoint.ToString(),
            AuthenticationRegion = options.Region,
            ForcePathStyle = true,
            Timeout = TimeSpan.FromSeconds(100),
            MaxErrorRetry = 3,

            // Stores other than AWS often lack the trailing checksums that the client would add by default.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });
    }

    public string Name => $"the bucket {_options.Bucket}{(_options.Prefix.Length > 0 ? $" below {_options.Prefix}" : "")} at {_options.Endpoint.GetLeftPart(UriPartial.Authority)}";

    public Task<StoreIdentity?> IdentityAsync(CancellationToken stop) => GuardAsync<StoreIdentity?>(
        async () =>
        {
            using var found = await _s3.GetObjectAsync(_options.Bucket, Key(StoreIdentity.FileName), stop);
            using var memory = new MemoryStream();
            await found.ResponseStream.CopyToAsync(memory, stop);
            return StoreIdentity.Parse(memory.ToArray(), Name);
        },
        () => null,
        stop);

    public Task MarkAsync(StoreIdentity identity, CancellationToken stop) => WriteAsync(StoreIdentity.FileName, new MemoryStream(identity.ToBytes()), stop);

    public async Task PutAsync(string sha256, Stream content, CancellationToken stop)
    {
        await BlobNames.RequireAsync(sha256, content, stop);
        await (content.Length <= _mostAtOnce ? WriteAsync(BlobNames.Of(sha256), content, stop) : WritePartsAsync(sha256, content, stop));
    }

    public Task<Stream?> GetAsync(string sha256, CancellationToken stop) => GuardAsync<Stream?>(
        async () => (await _s3.GetObjectAsync(_options.Bucket, Key(BlobNames.Of(sha256)), stop)).ResponseStream, () => null, stop);

    public Task<StoredBlob?> StatAsync(string sha256, CancellationToken stop) => GuardAsync<StoredBlob?>(
        async () => new StoredBlob(sha256, (await _s3.GetObjectMetadataAsync(_options.Bucket, Key(BlobNames.Of(sha256)), stop)).ContentLength), () => null, stop);

    public async IAsyncEnumerable<StoredBlob> ListAsync([EnumeratorCancellation] CancellationToken stop)
    {
        var request = new ListObjectsV2Request { BucketName = _options.Bucket, Prefix = Key(BlobNames.Prefix) };
        ListObjectsV2Response page;
        do
        {
            page = await GuardAsync(() => _s3.ListObjectsV2Async(request, stop), Nowhere<ListObjectsV2Response>, stop);
            foreach (var found in page.S3Objects ?? [])
            {
                if (BlobNames.At(found.Key) is { } sha256)
                {
                    yield return new StoredBlob(sha256, found.Size ?? 0);
                }
            }

            request.ContinuationToken = page.NextContinuationToken;
        }
        while (page.IsTruncated == true);
    }

    public Task DeleteAsync(string sha256, CancellationToken stop) => GuardAsync<object?>(
        async () => await _s3.DeleteObjectAsync(_options.Bucket, Key(BlobNames.Of(sha256)), stop), () => null, stop);

    public Task<string> SignGetAsync(string sha256, TimeSpan life, string? fileName = null)
    {
        var request = Request(sha256, HttpVerb.GET, life);
        if (fileName is not null)
        {
            request.ResponseHeaderOverrides.ContentDisposition = BlobNames.Disposition(fileName);
        }

        return _s3.GetPreSignedURLAsync(request);
    }

    // The length cannot be part of the address here; a commit compares it with what the store says.
    public async Task<UploadTicket> SignPutAsync(string sha256, long bytes, TimeSpan life) => PartLayout.Single(sha256, bytes, await _s3.GetPreSignedURLAsync(Request(sha256, HttpVerb.PUT, life)));

    public Task<PartsUpload> BeginAsync(string sha256, CancellationToken stop) => GuardAsync(
        async () => new PartsUpload(
            sha256, (await _s3.InitiateMultipartUploadAsync(new InitiateMultipartUploadRequest { BucketName = _options.Bucket, Key = Key(BlobNames.Of(sha256)) }, stop)).UploadId),
        Nowhere<PartsUpload>,
        stop);

    public async Task<UploadTicket> SignPartsAsync(PartsUpload upload, IReadOnlyList<PartRange> parts, TimeSpan life)
    {
        var signed = new List<UploadPart>();
        foreach (var part in parts)
        {
            var request = Request(upload.Sha256, HttpVerb.PUT, life);
            (request.UploadId, request.PartNumber) = (upload.Id, part.Number);
            signed.Add(new UploadPart(part.Number, part.Offset, part.Bytes, await _s3.GetPreSignedURLAsync(request), PartLayout.NoHeaders));
        }

        return new UploadTicket(upload.Sha256, signed, upload.Id);
    }

    public Task FinishAsync(PartsUpload upload, IReadOnlyList<PartReceipt> parts, CancellationToken stop) => GuardAsync<object?>(
        async () =>
        {
            try
            {
                return await _s3.CompleteMultipartUploadAsync(
                    new CompleteMultipartUploadRequest
                    {
                        BucketName = _options.Bucket,
                        Key = Key(BlobNames.Of(upload.Sha256)),
                        UploadId = upload.Id,
                        PartETags = [.. parts.Select(p => new PartETag(p.Number, p.ETag))],
                    },
                    stop);
            }
            catch (AmazonS3Exception e) when (e.ErrorCode is "NoSuchUpload" or "InvalidPart" or "InvalidPartOrder")
            {
                throw new UnknownUploadException($"The store does not have all parts of this upload: {e.Message}", e);
            }
        },
        () => throw new UnknownUploadException("The store has no such upload."),
        stop);

    public async Task AbandonAsync(PartsUpload upload, CancellationToken stop)
    {
        try
        {
            await _s3.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = _options.Bucket, Key = Key(BlobNames.Of(upload.Sha256)), UploadId = upload.Id }, stop);
        }
        catch (AmazonS3Exception e) when (e.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.NotImplemented or HttpStatusCode.MethodNotAllowed or HttpStatusCode.BadRequest)
        {
            // It is over already, or this store cannot be told; a rule of the bucket's clears such things away.
        }
    }

    public void Dispose() => _s3.Dispose();

    private string Key(string name) => _options.Prefix + name;

    private Task WriteAsync(string name, Stream content, CancellationToken stop) => GuardAsync<object?>(
        async () => await _s3.PutObjectAsync(

            // The SDK's chunk encoding is AWS's own; a store that does not know it would keep the chunk headers as content.
            new PutObjectRequest { BucketName = _options.Bucket, Key = Key(name), InputStream = content, AutoCloseStream = false, UseChunkEncoding = false }, stop),
        Nowhere<object?>,
        stop);

    private async Task WritePartsAsync(string sha256, Stream content, CancellationToken stop)
    {
        var upload = await BeginAsync(sha256, stop);
        var receipts = new List<PartReceipt>();
        foreach (var part in PartLayout.Of(content.Length, StoreSettings.DefaultPartBytes))
        {
            var request = new UploadPartRequest
            {
                BucketName = _options.Bucket,
                Key = Key(BlobNames.Of(sha256)),
                UploadId = upload.Id,
                PartNumber = part.Number,
                PartSize = part.Bytes,
                InputStream = content,
                UseChunkEncoding = false,
            };
            var answer = await GuardAsync(() => _s3.UploadPartAsync(request, stop), Nowhere<UploadPartResponse>, stop);
            receipts.Add(new PartReceipt(part.Number, answer.ETag));
        }

        await FinishAsync(upload, receipts, stop);
    }

    private T Nowhere<T>() => throw new StoreAwayException($"There is no {Name}.");

    /// <summary>Tells a blob that is not there from a store that is not: a bucket that is gone answers 404 too, by another code.</summary>
    private async Task<T> GuardAsync<T>(Func<Task<T>> work, Func<T> missing, CancellationToken stop)
    {
        try
        {
            return await work();
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound && e.ErrorCode != "NoSuchBucket")
        {
            return missing();
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.InsufficientStorage || e.ErrorCode is "XMinioStorageFull" or "QuotaExceeded")
        {
            throw new StoreFullException($"The object store ({Name}) is full: {e.Message}", e);
        }
        catch (Exception e) when (e is AmazonClientException or AmazonServiceException or HttpRequestException or IOException or TimeoutException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            throw new StoreAwayException($"The object store ({Name}) does not answer as it should: {e.Message}", e);
        }
    }

    private GetPreSignedUrlRequest Request(string sha256, HttpVerb verb, TimeSpan life) => new()
    {
        BucketName = _options.Bucket,
        Key = Key(BlobNames.Of(sha256)),
        Verb = verb,
        Expires = DateTime.UtcNow.Add(life),
        Protocol = _options.Endpoint.Scheme == "https" ? Amazon.S3.Protocol.HTTPS : Amazon.S3.Protocol.HTTP,
    };
}
