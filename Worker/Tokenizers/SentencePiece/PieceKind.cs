using System.Text;

namespace Hearth.Tokenizers;

/// <summary>How a piece of a SentencePiece vocabulary counts.</summary>
public enum PieceKind
{
    Text,
    Byte,

    /// <summary>Control, unknown or unused: no bytes of text.</summary>
    Control,
}

/// <summary>Bytes of text that pieces stand for, as bits per byte count them.</summary>
public static class PieceBytes
{
    /// <summary>
    /// Bytes of a SentencePiece target: a byte piece is one; a control, unknown or unused piece none; text its UTF-8 without one
    /// leading ▁, which counts one as a space unless the token before is a control piece (nothing precedes it in the text).
    /// </summary>
    public static int Count(string piece, PieceKind kind, PieceKind before)
    {
        if (kind != PieceKind.Text)
        {
            return kind == PieceKind.Byte ? 1 : 0;
        }

        bool space = piece.StartsWith('\u2581');
        return Encoding.UTF8.GetByteCount(space ? piece[1..] : piece) + (space && before != PieceKind.Control ? 1 : 0);
    }
}
