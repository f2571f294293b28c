using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Datasets.Sources;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>Blobs one behind the other, each opened when its turn comes.</summary>
internal sealed class PartsStream(IReadOnlyList<string> parts, IObjectStore store) : ReadOnlyStream
{
    private Stream? _part;
    private int _next;

    public override int Read(Span<byte> buffer) => throw new NotSupportedException();

    /// <exception cref="FileNotFoundException">The store has lost a part.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // Whoever asks for nothing gets nothing; it is no part's end.
        while (!buffer.IsEmpty)
        {
            if (_part is not null && await _part.ReadAsync(buffer, cancellationToken) is > 0 and var n)
            {
                return n;
            }

            if (_part is not null)
            {
                await _part.DisposeAsync();
                _part = null;
            }

            if (_next == parts.Count)
            {
                return 0;
            }

            _part = await store.GetAsync(parts[_next], cancellationToken) ?? throw new FileNotFoundException($"The store has lost part {_next + 1} of the upload.");
            _next++;
        }

        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _part?.Dispose();
        }

        base.Dispose(disposing);
    }
}
