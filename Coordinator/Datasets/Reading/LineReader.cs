using System.Runtime.CompilerServices;
using System.Text;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>A line of a file, without its end and without the file's byte order mark.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Bytes">Valid until the next line is asked for; the beginning alone where it is too long.</param>
/// <param name="IsTooLong">It has more than <see cref="LineReader.LongestLine"/> bytes.</param>
/// <param name="Next">Where the next line begins, in bytes from where reading began.</param>
public readonly record struct SourceLine(long Number, ReadOnlyMemory<byte> Bytes, bool IsTooLong, long Next);

/// <summary>Cuts bytes into lines; one is in memory at a time, and of one that is too long only its beginning.</summary>
public static class LineReader
{
    /// <summary>Bytes of the longest line that is a row.</summary>
    public const int LongestLine = 64 << 20;
    private const int FirstBytes = 1 << 17;

    public static async IAsyncEnumerable<SourceLine> ReadAsync(Stream stream, [EnumeratorCancellation] CancellationToken stop)
    {
        byte[] buffer = new byte[FirstBytes];
        long number = 0, before = 0;
        int start = 0, end = 0, looked = 0;
        bool over = false, ended = false;
        while (!ended || start < end || over)
        {
            int newline = buffer.AsSpan(looked, end - looked).IndexOf((byte)'\n');
            if (newline < 0 && !ended)
            {
                if (end - start >= LongestLine)
                {
                    // What comes of the line from here on is let go.
                    before += end - (start + LongestLine);
                    (over, end) = (true, start + LongestLine);
                }

                (looked, end, before) = (end - start, end - start, before + start);
                Keep(ref buffer, start, end);
                start = 0;
                int n = await stream.ReadAsync(buffer.AsMemory(end), stop);
                (ended, end) = (n == 0, end + n);
                continue;
            }

            int stopAt = newline < 0 ? end : looked + newline;
            number++;
            var line = buffer.AsMemory(start, Math.Min(stopAt - start, LongestLine));
            yield return new SourceLine(number, number == 1 && line.Span.StartsWith(Encoding.UTF8.Preamble) ? line[Encoding.UTF8.Preamble.Length..] : line, over || stopAt - start > LongestLine, before + (newline < 0 ? end : stopAt + 1));
            start = looked = newline < 0 ? end : stopAt + 1;
            over = false;
        }
    }

    // Moves what is kept to the front, and makes room behind it.
    private static void Keep(ref byte[] buffer, int start, int count)
    {
        if (count > buffer.Length - (FirstBytes / 2))
        {
            byte[] larger = new byte[Math.Min(buffer.Length * 2, LongestLine + FirstBytes)];
            buffer.AsSpan(start, count).CopyTo(larger);
            buffer = larger;
        }
        else if (start > 0)
        {
            buffer.AsSpan(start, count).CopyTo(buffer);
        }
    }
}
