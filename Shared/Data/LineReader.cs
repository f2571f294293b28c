using System.Runtime.CompilerServices;
using System.Text;

namespace Hearth.Data;

/// <summary>A line of a file, without its end and without the file's byte order mark.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Bytes">Valid until the next line is asked for; the beginning alone where it is too long.</param>
/// <param name="IsTooLong">It has more bytes than the reader was told to take.</param>
/// <param name="Next">Where the next line begins, in bytes from where reading began.</param>
public readonly record struct SourceLine(long Number, ReadOnlyMemory<byte> Bytes, bool IsTooLong, long Next);

/// <summary>Cuts bytes into lines; one is in memory at a time, and of one that is too long only its beginning.</summary>
public static class LineReader
{
    /// <summary>Bytes of the longest line that is a row of an import.</summary>
    public const int LongestLine = 64 << 20;

    /// <param name="stream">From its present position on.</param>
    /// <param name="longest">Bytes of the longest line that is given whole.</param>
    public static IEnumerable<SourceLine> Read(Stream stream, int longest = LongestLine)
    {
        var cutter = new LineCutter(longest);
        while (!cutter.IsDone)
        {
            if (cutter.Take() is { } line)
            {
                yield return line;
            }
            else
            {
                cutter.Add(stream.Read(cutter.Room().Span));
            }
        }
    }

    /// <inheritdoc cref="Read"/>
    public static async IAsyncEnumerable<SourceLine> ReadAsync(Stream stream, [EnumeratorCancellation] CancellationToken stop)
    {
        var cutter = new LineCutter(LongestLine);
        while (!cutter.IsDone)
        {
            if (cutter.Take() is { } line)
            {
                yield return line;
            }
            else
            {
                cutter.Add(await stream.ReadAsync(cutter.Room(), stop));
            }
        }
    }

    // What is read and not yet given; it asks for more where it has no whole line.
    private sealed class LineCutter(int longest)
    {
        private const int FirstBytes = 1 << 17;
        private byte[] _buffer = new byte[FirstBytes];
        private long _number, _before;
        private int _start, _end, _looked;
        private bool _over, _ended;

        internal bool IsDone => _ended && _start == _end && !_over;

        internal SourceLine? Take()
        {
            int newline = _buffer.AsSpan(_looked, _end - _looked).IndexOf((byte)'\n');
            if (newline < 0 && !_ended)
            {
                return null;
            }

            int stopAt = newline < 0 ? _end : _looked + newline, next = newline < 0 ? _end : stopAt + 1;
            _number++;
            var bytes = _buffer.AsMemory(_start, Math.Min(stopAt - _start, longest));
            bool marked = _number == 1 && bytes.Span.StartsWith(Encoding.UTF8.Preamble);
            var line = new SourceLine(_number, marked ? bytes[Encoding.UTF8.Preamble.Length..] : bytes, _over || stopAt - _start > longest, _before + next);
            (_start, _looked, _over) = (next, next, false);
            return line;
        }

        // Moves what is kept to the front, and makes room behind it.
        internal Memory<byte> Room()
        {
            if (_end - _start >= longest)
            {
                // What comes of the line from here on is let go.
                _before += _end - (_start + longest);
                (_over, _end) = (true, _start + longest);
            }

            int count = _end - _start;
            if (count > _buffer.Length - (FirstBytes / 2))
            {
                byte[] larger = new byte[(int)Math.Min(Math.Min(_buffer.Length * 2L, longest + (long)FirstBytes), Array.MaxLength)];
                _buffer.AsSpan(_start, count).CopyTo(larger);
                _buffer = larger;
            }
            else if (_start > 0)
            {
                _buffer.AsSpan(_start, count).CopyTo(_buffer);
            }

            (_before, _start, _looked, _end) = (_before + _start, 0, count, count);
            return _buffer.AsMemory(count);
        }

        internal void Add(int bytes) => (_ended, _end) = (bytes == 0, _end + bytes);
    }
}
