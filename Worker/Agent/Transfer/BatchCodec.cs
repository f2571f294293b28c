using MessagePack;

namespace Hearth.Agent;

/// <summary>Batches as they lie on disk and, where the coordinator reads it, go over the wire: MessagePack in LZ4 blocks.</summary>
public static class BatchCodec
{
    private static readonly MessagePackSerializerOptions Options = MessagePackSerializerOptions.Standard.WithCompression(MessagePackCompression.Lz4BlockArray);

    public static byte[] Encode<T>(T batch) => MessagePackSerializer.Serialize(batch, Options);

    /// <exception cref="MessagePackSerializationException">The bytes are something else.</exception>
    public static T Decode<T>(ReadOnlyMemory<byte> packed) => MessagePackSerializer.Deserialize<T>(packed, Options);
}
