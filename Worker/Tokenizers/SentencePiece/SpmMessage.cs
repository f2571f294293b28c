using System.Text;
using Google.Protobuf;

namespace Hearth.Tokenizers;

/// <summary>Reads one protobuf message field by field; whatever is wrong is said with the field's path.</summary>
internal sealed class SpmMessage(byte[] bytes, string path)
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);
    private readonly CodedInputStream _input = new(bytes);
    private uint _tag;

    internal string Path => path;

    /// <summary>Number of the next field; 0 at the end.</summary>
    internal int Next()
    {
        _tag = Try("", _input.ReadTag);
        return WireFormat.GetTagFieldNumber(_tag);
    }

    internal void Skip() => Try($"field {WireFormat.GetTagFieldNumber(_tag)}", () =>
    {
        _input.SkipLastField();
        return 0;
    });

    internal SpmMessage Nested(string field) => new(Bytes(field), Join(field));

    internal byte[] Bytes(string field) => Read(field, WireFormat.WireType.LengthDelimited, () => _input.ReadBytes().ToByteArray());

    internal string Text(string field)
    {
        byte[] text = Bytes(field);
        try
        {
            return Strict.GetString(text);
        }
        catch (DecoderFallbackException e)
        {
            throw new TokenizerException($"{Join(field)} of the SentencePiece model is no UTF-8 at its byte {e.Index}. Allowed: UTF-8.");
        }
    }

    internal float Float(string field) => Read(field, WireFormat.WireType.Fixed32, _input.ReadFloat);

    internal long Number(string field) => Read(field, WireFormat.WireType.Varint, _input.ReadInt64);

    internal bool Flag(string field) => Number(field) != 0;

    private T Read<T>(string field, WireFormat.WireType expected, Func<T> read)
    {
        var wire = WireFormat.GetTagWireType(_tag);
        return wire == expected
            ? Try(field, read)
            : throw new TokenizerException($"{Join(field)} of the SentencePiece model has the wire type {wire}. Allowed: {expected}.");
    }

    private T Try<T>(string field, Func<T> read)
    {
        long at = _input.Position;
        try
        {
            return read();
        }
        catch (InvalidProtocolBufferException e)
        {
            string place = Join(field);
            throw new TokenizerException($"{(place.Length > 0 ? place + " of the" : "The")} SentencePiece model cannot be read at byte {at} of {bytes.Length}: {e.Message}");
        }
    }

    private string Join(string field) => path.Length == 0 || field.Length == 0 ? path + field : $"{path}.{field}";
}
