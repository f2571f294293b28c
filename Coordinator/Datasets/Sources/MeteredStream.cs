using ZstdSharp;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>A stream that tells how much was read of it, and says of damaged bytes whose they are.</summary>
/// <param name="inner">Read through; disposed of with this one.</param>
/// <param name="name">For sentences.</param>
/// <param name="taken">Called with the bytes of each reading; may throw to end it.</param>
internal sealed class MeteredStream(Stream inner, string name, Action<int> taken) : ReadOnlyStream
{
    public override bool CanSeek => inner.CanSeek;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => inner.Position = value;
    }

    public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

    public override int Read(Span<byte> buffer)
    {
        try
        {
            return Taken(inner.Read(buffer));
        }
        catch (Exception e) when (IsDamage(e))
        {
            throw Damaged(name, e);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return Taken(await inner.ReadAsync(buffer, cancellationToken));
        }
        catch (Exception e) when (IsDamage(e))
        {
            throw Damaged(name, e);
        }
    }

    /// <summary>True for what decoders throw when bytes are not what their format says.</summary>
    internal static bool IsDamage(Exception e) => e is InvalidDataException or EndOfStreamException or ZstdException;

    internal static DatasetRefusedException Damaged(string name, Exception e) =>
        new("files", name, "a file that is whole", $"{name} is damaged or cut off: {e.Message.TrimEnd('.')}. Allowed: a file that is whole.");

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Taken(int bytes)
    {
        taken(bytes);
        return bytes;
    }
}
