using Hearth.Protocol;
using MessagePack;
using Microsoft.Net.Http.Headers;

namespace Hearth.Coordinator.Metrics;

/// <summary>Reads a batch in either form that a worker may send it in (<see cref="BatchFormat"/>). What it says is checked afterwards, in one place for both.</summary>
internal static class BatchBody
{
    /// <summary>Bytes of MessagePack that come out of the LZ4 blocks of a body: as many as a body of JSON may have.</summary>
    internal const int MostUnpackedBytes = 16 << 20;

    // A request, its list, an entry and its column.
    private const int MostDepth = 8;

    /// <summary>Of both directions; the bounds are for what is read.</summary>
    internal static readonly MessagePackSerializerOptions Options = MessagePackSerializerOptions.Standard
        .WithCompression(MessagePackCompression.Lz4BlockArray)
        .WithSecurity(MessagePackSecurity.UntrustedData.WithMaximumDecompressedSize(MostUnpackedBytes).WithMaximumObjectGraphDepth(MostDepth));

    /// <exception cref="BadHttpRequestException">400 for a body that is no batch, 415 for another content type; each says what is wrong.</exception>
    /// <exception cref="System.Text.Json.JsonException">The body is JSON of something else.</exception>
    internal static async Task<T> ReadAsync<T>(HttpRequest request, CancellationToken stop)
        where T : class
    {
        if (request.HasJsonContentType())
        {
            return await ReadJsonAsync<T>(request, stop);
        }

        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.MediaType.Equals(BatchFormat.MessagePack, StringComparison.OrdinalIgnoreCase))
        {
            throw new BadHttpRequestException($"The content type is {request.ContentType ?? "missing"}. Allowed: {BatchFormat.MessagePack}, {BatchFormat.Json}.", StatusCodes.Status415UnsupportedMediaType);
        }

        // Kestrel's limit bounds what is copied.
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, stop);
        return Unpack<T>(body.GetBuffer().AsMemory(0, (int)body.Length));
    }

    /// <summary>A batch out of MessagePack, in LZ4 blocks or plain. Pure.</summary>
    /// <exception cref="BadHttpRequestException">It is none.</exception>
    internal static T Unpack<T>(ReadOnlyMemory<byte> packed)
        where T : class
    {
        T? batch;
        int read;
        try
        {
            batch = MessagePackSerializer.Deserialize<T?>(packed, Options.WithResolver(new BatchBudget()), out read);
        }
        catch (MessagePackSerializationException e)
        {
            throw new BadHttpRequestException($"The body is not MessagePack as this route reads it: {Why(e)}", e);
        }

        return batch is null ? throw new BadHttpRequestException("The body is MessagePack's nil instead of a batch.")
            : read != packed.Length ? throw new BadHttpRequestException($"The body goes on for {packed.Length - read} bytes after the batch.")
            : batch;
    }

    private static async Task<T> ReadJsonAsync<T>(HttpRequest request, CancellationToken stop)
        where T : class
    {
        try
        {
            return await request.ReadFromJsonAsync<T>(stop) ?? throw new BadHttpRequestException("The body is null instead of a batch.");
        }
        catch (System.Text.Json.JsonException e)
        {
            throw new BadHttpRequestException("The body is not what this route reads.", e);
        }
    }

    // The outer exceptions name what was being read, the innermost what was wrong with it.
    private static string Why(Exception e)
    {
        var said = new List<string>();
        for (Exception? at = e; at is not null; at = at.InnerException)
        {
            said.Add(at is EndOfStreamException ? "It ends too early." : at.Message);
        }

        return string.Join(' ', said.Distinct(StringComparer.Ordinal));
    }
}
