using System.Text;
using Google.Protobuf;

namespace Hearth.Tokenizers;

/// <summary>
/// The protobuf form of a SentencePiece model (<c>sentencepiece_model.proto</c>). Reading keeps what encoding needs, skips
/// fields it does not know, and never allocates more than the file's own size.
/// </summary>
public static class SpmFile
{
    private const int Bpe = 2;
    private static readonly string[] ModelTypes = ["", "unigram", "BPE", "word", "char"];

    /// <exception cref="TokenizerException">The file is cut, is no BPE model or contradicts itself; names the field.</exception>
    public static SpmModel Read(byte[] file)
    {
        var pieces = new List<SpmPiece>();
        var model = new SpmModel { Pieces = pieces };
        long type = 1;
        var message = new SpmMessage(file, "");
        for (int field = message.Next(); field != 0; field = message.Next())
        {
            switch (field)
            {
                case 1:
                    pieces.Add(Piece(message.Nested($"pieces[{pieces.Count}]")));
                    break;
                case 2:
                    (model, type) = Trainer(message.Nested("trainer_spec"), model);
                    break;
                case 3:
                    model = model with { Normalizer = Normalizer(message.Nested("normalizer_spec")) };
                    break;
                case 5:
                    model = model with { Denormalizer = Normalizer(message.Nested("denormalizer_spec")) };
                    break;
                default:
                    message.Skip();
                    break;
            }
        }

        Require(type == Bpe, "trainer_spec.model_type", type is > 0 and < 5 ? $"{type} ({ModelTypes[type]})" : $"{type}", "2 (BPE)");
        Check(model);
        return model;
    }

    /// <summary>The file of a model that this project trained.</summary>
    public static byte[] Write(SpmModel model)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
        {
            foreach (var piece in model.Pieces)
            {
                Nested(output, 1, o =>
                {
                    Text(o, 1, piece.Text);
                    o.WriteTag(2, WireFormat.WireType.Fixed32);
                    o.WriteFloat(piece.Score);
                    Number(o, 3, (int)piece.Type);
                });
            }

            Nested(output, 2, o => WriteTrainer(o, model));
            Nested(output, 3, o =>
            {
                Text(o, 1, model.Normalizer.Name);
                o.WriteTag(2, WireFormat.WireType.LengthDelimited);
                o.WriteBytes(ByteString.CopyFrom(model.Normalizer.PrecompiledCharsmap));
                Number(o, 3, model.Normalizer.AddDummyPrefix ? 1 : 0);
                Number(o, 4, model.Normalizer.RemoveExtraWhitespaces ? 1 : 0);
                Number(o, 5, model.Normalizer.EscapeWhitespaces ? 1 : 0);
            });
        }

        return stream.ToArray();
    }

    private static void WriteTrainer(CodedOutputStream output, SpmModel model)
    {
        Number(output, 3, Bpe);
        Number(output, 4, model.Pieces.Count);
        foreach (var piece in model.Pieces.Where(p => p.Type == SpmPieceType.UserDefined))
        {
            Text(output, 31, piece.Text);
        }

        Number(output, 35, model.ByteFallback ? 1 : 0);
        int Place(string piece) => model.Pieces.TakeWhile(p => p.Text != piece).Count() is var at && at < model.Pieces.Count ? at : -1;
        Number(output, 40, Place(SpecialTokens.Unknown));
        Number(output, 41, Place(SpecialTokens.Begin));
        Number(output, 42, Place(model.EndPiece));
        Number(output, 43, Place(SpecialTokens.Pad));
        Text(output, 44, model.UnknownSurface);
        Text(output, 45, SpecialTokens.Unknown);
        Text(output, 46, SpecialTokens.Begin);
        Text(output, 47, model.EndPiece);
        Text(output, 48, SpecialTokens.Pad);
    }

    private static SpmPiece Piece(SpmMessage message)
    {
        var (text, score, type) = ("", 0f, 1L);
        for (int field = message.Next(); field != 0; field = message.Next())
        {
            switch (field)
            {
                case 1: text = message.Text("piece"); break;
                case 2: score = message.Float("score"); break;
                case 3: type = message.Number("type"); break;
                default: message.Skip(); break;
            }
        }

        Require(text.Length > 0, message.Path + ".piece", "empty", "at least one character");
        Require(float.IsFinite(score), message.Path + ".score", $"{score}", "a finite number");
        Require(type is >= 1 and <= 6, message.Path + ".type", $"{type}", "1 to 6");
        return new SpmPiece(text, score, (SpmPieceType)type);
    }

    private static (SpmModel Model, long Type) Trainer(SpmMessage message, SpmModel model)
    {
        long type = 1;
        for (int field = message.Next(); field != 0; field = message.Next())
        {
            switch (field)
            {
                case 3: type = message.Number("model_type"); break;
                case 24: model = model with { WhitespaceAsSuffix = message.Flag("treat_whitespace_as_suffix") }; break;
                case 35: model = model with { ByteFallback = message.Flag("byte_fallback") }; break;
                case 44: model = model with { UnknownSurface = message.Text("unk_surface") }; break;
                case 47: model = model with { EndPiece = message.Text("eos_piece") }; break;
                default: message.Skip(); break;
            }
        }

        return (model, type);
    }

    private static SpmNormalizerSpec Normalizer(SpmMessage message)
    {
        var spec = new SpmNormalizerSpec();
        for (int field = message.Next(); field != 0; field = message.Next())
        {
            switch (field)
            {
                case 1: spec = spec with { Name = message.Text("name") }; break;
                case 2: spec = spec with { PrecompiledCharsmap = message.Bytes("precompiled_charsmap") }; break;
                case 3: spec = spec with { AddDummyPrefix = message.Flag("add_dummy_prefix") }; break;
                case 4: spec = spec with { RemoveExtraWhitespaces = message.Flag("remove_extra_whitespaces") }; break;
                case 5: spec = spec with { EscapeWhitespaces = message.Flag("escape_whitespaces") }; break;
                default: message.Skip(); break;
            }
        }

        return spec;
    }

    private static void Check(SpmModel model)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            Require(seen.Add(model.Pieces[id].Text), $"pieces[{id}].piece", model.Pieces[id].Text, "a piece that comes once");
        }

        int unknown = model.Pieces.Count(p => p.Type == SpmPieceType.Unknown);
        Require(unknown == 1, "pieces", $"{model.Pieces.Count} pieces with {unknown} of type 2 (unknown)", "exactly one of type 2");
        var bytes = model.Pieces.Where(p => p.Type == SpmPieceType.Byte).Select(p => p.Text).ToHashSet(StringComparer.Ordinal);
        string? missing = Enumerable.Range(0, 256).Select(b => BytePiece((byte)b)).FirstOrDefault(b => !bytes.Contains(b));
        Require(!model.ByteFallback || missing is null, "trainer_spec.byte_fallback", $"true without the piece {missing}", "true only with all 256 byte pieces");
        Require(bytes.Count <= 256 && bytes.All(b => ByteOf(b) >= 0), "pieces", "a piece of type 6 (byte) that is no byte", "<0x00> to <0xFF>");
    }

    /// <summary>The piece that stands for a byte.</summary>
    internal static string BytePiece(byte value) => $"<0x{value:X2}>";

    /// <summary>The byte that a piece stands for, or −1.</summary>
    internal static int ByteOf(string piece) =>
        piece.Length == 6 && byte.TryParse(piece.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out byte value) && BytePiece(value) == piece ? value : -1;

    private static void Require(bool holds, string field, string value, string allowed)
    {
        if (!holds)
        {
            throw new TokenizerException($"{field} of the SentencePiece model is {value}. Allowed: {allowed}.");
        }
    }

    private static void Nested(CodedOutputStream output, int field, Action<CodedOutputStream> write)
    {
        using var inner = new MemoryStream();
        using (var nested = new CodedOutputStream(inner, leaveOpen: true))
        {
            write(nested);
        }

        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(inner.GetBuffer(), 0, (int)inner.Length));
    }

    private static void Text(CodedOutputStream output, int field, string value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(value, Encoding.UTF8));
    }

    private static void Number(CodedOutputStream output, int field, int value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteInt32(value);
    }
}
