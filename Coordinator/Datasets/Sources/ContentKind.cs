using System.Text;
using System.Text.Unicode;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>What bytes are, by their beginning.</summary>
public enum ContentKind
{
    Empty,
    Gzip,
    Zstandard,
    Zip,
    Tar,
    Parquet,

    /// <summary>UTF-8, with or without a byte order mark.</summary>
    Text,

    /// <summary>Anything else.</summary>
    Binary,
}

/// <summary>Tells contents apart by what their formats begin with. Pure.</summary>
public static class ContentKinds
{
    /// <summary>Bytes that decide: the header of a tar.</summary>
    public const int HeadBytes = 512;
    private const int ChecksumAt = 148;
    private const int ChecksumBytes = 8;

    /// <param name="head">The first <see cref="HeadBytes"/> bytes, or all where there are fewer.</param>
    public static ContentKind Of(ReadOnlySpan<byte> head) => head switch
    {
        [] => ContentKind.Empty,
        [0x1f, 0x8b, ..] => ContentKind.Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ContentKind.Zstandard,
        [(byte)'P', (byte)'K', 3, 4, ..] or [(byte)'P', (byte)'K', 5, 6, ..] => ContentKind.Zip,
        [(byte)'P', (byte)'A', (byte)'R', (byte)'1', ..] => ContentKind.Parquet,
        _ when IsTar(head) => ContentKind.Tar,
        _ => IsText(head) ? ContentKind.Text : ContentKind.Binary,
    };

    // The checksum of a header holds in the oldest form too, which has no magic number.
    private static bool IsTar(ReadOnlySpan<byte> head)
    {
        if (head.Length < HeadBytes || head[0] == 0)
        {
            return false;
        }

        int sum = ChecksumBytes * ' ', told = 0, digits = 0;
        for (int i = 0; i < head.Length; i++)
        {
            sum += i is >= ChecksumAt and < ChecksumAt + ChecksumBytes ? 0 : head[i];
        }

        foreach (byte digit in head.Slice(ChecksumAt, ChecksumBytes))
        {
            if (digit is >= (byte)'0' and <= (byte)'7')
            {
                (told, digits) = ((told * 8) + digit - '0', digits + 1);
            }
            else if (digits > 0)
            {
                break;
            }
        }

        return digits > 0 && told == sum;
    }

    // A letter may be cut at the head's end, so up to three bytes of it do not count.
    private static bool IsText(ReadOnlySpan<byte> head)
    {
        for (int cut = 0; cut <= (head.Length < HeadBytes ? 0 : 3); cut++)
        {
            if (Utf8.IsValid(head[..^cut]))
            {
                return !head.Contains((byte)0);
            }
        }

        return false;
    }

    /// <summary>True where the first letter behind blanks and a byte order mark opens a JSON object.</summary>
    public static bool BeginsWithObject(ReadOnlySpan<byte> head)
    {
        var text = head.StartsWith(Encoding.UTF8.Preamble) ? head[Encoding.UTF8.Preamble.Length..] : head;
        return text.TrimStart(" \t\r\n"u8) is [(byte)'{', ..];
    }
}
